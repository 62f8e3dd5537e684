// A worker that is asked one thing at a time: a new question replaces one that still waits.

export class Requests {
  constructor(makeWorker) {
    this.makeWorker = makeWorker;
    this.worker = null;
    this.id = 0;
    this.busy = false;
    this.waiting = null;
  }

  /** Sends a message; answer(data) is called with what comes back, unless a later message has replaced it. */
  ask(message, answer) {
    if (this.busy) {
      this.waiting = [message, answer];
      return;
    }
    this.worker ??= this.makeWorker();
    this.busy = true;
    this.id += 1;
    const id = this.id;
    this.worker.onmessage = ({ data }) => {
      if (data.id !== id) return;
      this.busy = false;
      const next = this.waiting;
      this.waiting = null;
      if (next) this.ask(...next);
      else answer(data);
    };
    this.worker.postMessage({ id, ...message });
  }
}

/** A search in a worker of its own: progress(state) after each descent, until another search begins. */
export class Search {
  constructor(makeWorker) {
    this.makeWorker = makeWorker;
    this.worker = null;
    this.id = 0;
  }

  start(schedule, m, progress) {
    this.worker ??= this.makeWorker();
    this.id += 1;
    const id = this.id;
    this.worker.onmessage = ({ data }) => {
      if (data.id === this.id) progress(data);
    };
    this.worker.postMessage({ kind: "search", id, schedule, m });
  }

  /** Ends the search. */
  stop() {
    this.worker?.terminate();
    this.worker = null;
  }
}
