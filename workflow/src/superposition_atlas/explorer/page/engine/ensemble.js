// Toy models of neighbouring seeds, trained in Web Workers that share them, in step with each other.

const BUDGET = 12; // milliseconds of one request: shorter than a frame
const LEAD = 400; // steps that one worker may be ahead of another
const LONGEST_CURVE = 600;

export class Ensemble {
  /** makeWorker: () → Worker; onChange: called after each answer. */
  constructor(makeWorker, onChange) {
    this.makeWorker = makeWorker;
    this.onChange = onChange;
    this.lanes = [];
    this.run = 0;
    this.models = [];
    this.curves = [];
    this.playing = false;
    this.ready = false;
    this.pace = Infinity;
    this.target = 0;
    this.total = 0;
  }

  get step() {
    return this.lanes.length ? Math.min(...this.lanes.map((lane) => lane.step)) : 0;
  }

  get finished() {
    return this.ready && this.step >= this.total;
  }

  /** New toy models, untrained: settings as ToyModel takes them, and the number of steps in all. */
  reset(seeds, settings, total) {
    this.run += 1;
    this.playing = false;
    this.ready = false;
    this.total = total;
    this.target = 0;
    this.models = seeds.map((seed) => ({ seed, W: null, b: null }));
    this.curves = seeds.map(() => ({ steps: [], losses: [], every: 1, waiting: [] }));
    this.split = settings.m * settings.probability.length;
    const cores = Math.max(1, (navigator.hardwareConcurrency || 2) - 1), n = Math.min(cores, seeds.length, 8);
    while (this.lanes.length > n) this.lanes.pop().worker.terminate();
    while (this.lanes.length < n) this.lanes.push(this.lane());
    this.lanes.forEach((lane, k) => {
      lane.members = seeds.map((_, index) => index).filter((index) => index % n === k);
      lane.step = 0;
      this.ask(lane, { kind: "toys", seeds: lane.members.map((index) => seeds[index]), settings });
    });
  }

  lane() {
    const lane = { worker: this.makeWorker(), members: [], step: 0, busy: false };
    lane.worker.onmessage = ({ data }) => {
      if (data.id !== this.run) return;
      lane.busy = false;
      lane.step = data.step;
      lane.members.forEach((index, k) => {
        const parameters = data.parameters[k], model = this.models[index];
        model.W = parameters.subarray(0, this.split);
        model.b = parameters.subarray(this.split);
        if (Number.isFinite(data.losses[k])) this.record(this.curves[index], data.step, data.losses[k]);
      });
      this.ready = this.models.every((model) => model.W !== null);
      if (this.playing && this.finished) this.playing = false;
      this.goOn();
      this.onChange();
    };
    return lane;
  }

  ask(lane, message) {
    lane.busy = true;
    lane.worker.postMessage({ id: this.run, ...message });
  }

  /** Losses of a curve, thinned by halves so that it stays short. */
  record(curve, step, loss) {
    curve.waiting.push(loss);
    if (curve.waiting.length < curve.every) return;
    curve.steps.push(step);
    curve.losses.push(curve.waiting.reduce((sum, value) => sum + value, 0) / curve.waiting.length);
    curve.waiting = [];
    if (curve.steps.length < LONGEST_CURVE) return;
    const half = (values, join) => values.filter((_, k) => k % 2).map((value, k) => join(values[2 * k], value));
    curve.losses = half(curve.losses, (a, b) => (a + b) / 2);
    curve.steps = half(curve.steps, (_, b) => b);
    curve.every *= 2;
  }

  /** Sends what may be trained now to workers that wait. */
  goOn() {
    if (!this.ready) return;
    const until = this.playing && this.pace === Infinity ? this.total : Math.min(this.target, this.total), slowest = this.step;
    for (const lane of this.lanes) {
      const steps = Math.min(until, slowest + LEAD) - lane.step;
      if (!lane.busy && steps > 0) this.ask(lane, { kind: "advance", steps, milliseconds: BUDGET });
    }
  }

  play() {
    if (this.finished) return;
    this.playing = true;
    this.target = this.step;
    this.goOn();
  }

  pause() {
    this.playing = false;
    this.target = Math.max(...this.lanes.map((lane) => lane.step));
    this.goOn(); // the others catch up, so that all stand at one step
  }

  /** So many steps, and then a pause. */
  stepBy(count) {
    this.playing = false;
    this.target = Math.max(...this.lanes.map((lane) => lane.step)) + count;
    this.goOn();
  }

  /** Called once a frame: with a pace, each frame allows so many steps more. */
  frame() {
    if (!this.playing || this.pace === Infinity) return;
    this.target = Math.min(this.total, this.step + this.pace);
    this.goOn();
  }

  /** Ends all workers. */
  end() {
    for (const lane of this.lanes) lane.worker.terminate();
    this.lanes = [];
  }
}
