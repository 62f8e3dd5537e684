// The explorer in a notebook (anywidget): the page in a frame, which tells its own listener what is set.

export default {
  render({ model, el }) {
    const frame = document.createElement("iframe");
    frame.title = "Superposition explorer";
    frame.style.cssText = `width: 100%; height: ${model.get("height")}px; border: 0`;
    frame.srcdoc = model.get("html");
    const hear = ({ source, data }) => {
      if (source !== frame.contentWindow || data?.listener !== model.get("listener")) return;
      model.set("fragment", String(data.fragment));
      model.save_changes();
    };
    window.addEventListener("message", hear);
    el.append(frame);
    return () => window.removeEventListener("message", hear);
  },
};
