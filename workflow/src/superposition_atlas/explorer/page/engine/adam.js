// Adam as torch.optim has it, on float32 parameters (Kingma and Ba 2014).

const BETA_1 = 0.9, BETA_2 = 0.999, EPSILON = 1e-8;

export class Adam {
  constructor(size, learningRate) {
    this.learningRate = learningRate;
    this.mean = new Float32Array(size);
    this.square = new Float32Array(size);
  }

  /** One update in place; taken counts the steps, this one included. */
  update(parameters, gradient, taken) {
    const { mean, square } = this;
    const rate = this.learningRate / (1 - BETA_1 ** taken), root = Math.sqrt(1 - BETA_2 ** taken);
    for (let k = 0; k < parameters.length; k += 1) {
      const g = gradient[k];
      mean[k] += (1 - BETA_1) * (g - mean[k]);
      square[k] = BETA_2 * square[k] + (1 - BETA_2) * g * g;
      parameters[k] -= rate * mean[k] / (Math.sqrt(square[k]) / root + EPSILON);
    }
  }
}
