// The page: its data, its state, its views.

import { ExactLoss } from "./theory/exact_loss.js";
import { borders, match } from "./theory/matching.js";
import { measure } from "./theory/measures.js";
import { search } from "./theory/search.js";
import { SAE } from "./engine/sae.js";
import { ToyModel } from "./engine/toy_model.js";
import { words } from "./engine/philox.js";
import { DEFAULTS, fromFragment, Store, toFragment } from "./state.js";
import { Tour } from "./tour/tour.js";
import { Atlas, AtlasView } from "./views/atlas.js";
import { colour, setScales } from "./views/canvas.js";
import { byId } from "./views/dom.js";
import { SAEView } from "./views/saes.js";
import { ScheduleView } from "./views/schedule.js";
import { startTheme } from "./views/theme.js";
import { TheoryView } from "./views/theory.js";
import { SETTINGS, TrainingView } from "./views/training.js";

const data = JSON.parse(byId("data").textContent);
const workerLink = URL.createObjectURL(new Blob([byId("worker-source").textContent], { type: "text/javascript" }));
const makeWorker = () => new Worker(workerLink);

setScales(data.palette);
byId("version").textContent = data.version;
const views = [];
startTheme(() => views.forEach((view) => view.recolour()));

const given = { ...fromFragment(data.fragment ?? ""), ...fromFragment(location.hash) };
const store = new Store({ ...DEFAULTS, ...given, chosen: 0 });
const atlas = data.atlas ? new Atlas(data.atlas) : null;
const schedule = new ScheduleView(store, data.presets);
const training = new TrainingView(store, makeWorker);
const theory = new TheoryView(store, makeWorker, training, atlas);
const saes = new SAEView(store, makeWorker, training);
const map = atlas ? new AtlasView(store, atlas) : null;
const tour = new Tour({ store, training, saes });
views.push(schedule, training, theory, saes, ...(map ? [map] : []));
byId("atlas-none").hidden = map !== null;
byId("atlas-body").hidden = map === null;
byId("ramp-viridis").style.background = `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((share) => colour("viridis", share)).join(", ")})`;

/** The link follows what is set; a notebook that shows the page hears of it. */
function follow() {
  const fragment = toFragment(store.values);
  try {
    history.replaceState(null, "", `#${fragment}`);
  } catch {
    // A page inside another's frame may have no address of its own.
  }
  if (data.listener && window.parent !== window) window.parent.postMessage({ listener: data.listener, fragment }, "*");
}
let following = null;
store.on(SETTINGS, () => {
  clearTimeout(following);
  following = setTimeout(follow, 150);
});
if (data.listener) follow();
window.addEventListener("hashchange", () => store.set(fromFragment(location.hash)));
window.addEventListener("resize", () => views.forEach((view) => view.draw()));
training.onFinished(() => tour.trained());

// For the console, and for the tests: the parts that compute, and what the page holds.
window.explorer = { words, ToyModel, SAE, ExactLoss, match, borders, search, measure, store, training, theory, saes, atlas, makeWorker };
document.documentElement.dataset.ready = "true";
