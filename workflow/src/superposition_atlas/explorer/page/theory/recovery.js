// What an SAE gets back of the features: the best decoder direction of each represented feature, by signed cosine.

import { measure } from "./measures.js";

export const RECOVERED = 0.9, NEARLY = 0.8;

/** Encoder and decoder directions [hidden, latent] of an SAE's parameters (W_enc, W_dec, b_enc, b_dec in a row). */
export function saeLook(parameters, m, latents) {
  const encoder = new Float64Array(m * latents), decoder = new Float64Array(m * latents);
  for (let j = 0; j < latents; j += 1) {
    for (let d = 0; d < m; d += 1) {
      encoder[d * latents + j] = parameters[d * latents + j];
      decoder[d * latents + j] = parameters[m * latents + j * m + d];
    }
  }
  return { encoder, decoder };
}

/** For each represented feature {feature, latent, cosine, found, nearly}: its best living latent, and whether it is recovered. */
export function groupRecovered(W, n, m, decoder, dead) {
  const { norms, represented } = measure(W, n, m), latents = dead.length;
  return represented.flatMap((flag, feature) => {
    if (!flag) return [];
    let latent = -1, cosine = -Infinity;
    for (let j = 0; j < latents; j += 1) {
      if (dead[j]) continue;
      let product = 0, squared = 0;
      for (let d = 0; d < m; d += 1) {
        product += W[d * n + feature] * decoder[d * latents + j];
        squared += decoder[d * latents + j] ** 2;
      }
      const value = squared > 0 ? product / (norms[feature] * Math.sqrt(squared)) : -1;
      if (value > cosine) [latent, cosine] = [j, value];
    }
    return [{ feature, latent, cosine, found: cosine > RECOVERED, nearly: cosine > NEARLY }];
  });
}
