// A small assembler of WebAssembly: expressions are lists of bytes, nested as the instructions are.

function leb(value) {
  const bytes = [];
  let rest = value >>> 0;
  do {
    bytes.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest);
  return bytes;
}

function signedLeb(value) {
  const bytes = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

const simd = (code, ...operands) => [...operands.flat(), 0xfd, ...leb(code)];
const at = (address, align) => [align, ...leb(address)];

export const get = (local) => [0x20, ...leb(local)];
export const set = (local, value) => [...value, 0x21, ...leb(local)];
export const number = (value) => [0x41, ...signedLeb(value)];
export const i32 = {
  add: (a, b) => [...a, ...b, 0x6a], mul: (a, b) => [...a, ...b, 0x6c], lessThan: (a, b) => [...a, ...b, 0x49],
};
/** The body again while `condition` holds after it. */
export const loop = (body, condition) => [0x03, 0x40, ...body, ...condition, 0x0d, 0x00, 0x0b];

const LOW = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];

/** Four lanes of 32 bits. Addresses are fixed, but for what `base` (an i32) adds. */
export const v = {
  load: (address, base = number(0)) => [...base, 0xfd, 0x00, ...at(address, 4)],
  store: (address, value, base = number(0)) => [...base, ...value, 0xfd, 0x0b, ...at(address, 4)],
  splat: (value) => simd(0x11, value),
  xor: (a, b) => simd(0x51, a, b),
  and: (a, b) => simd(0x4e, a, b),
  addInt: (a, b) => simd(0xae, a, b),
  lessOrEqual: (a, b) => simd(0x3e, a, b), // unsigned
  /** Products of unsigned lanes, 64 bits each: of lanes 0 and 1, and of lanes 2 and 3. */
  wideLow: (a, b) => simd(0xde, a, b),
  wideHigh: (a, b) => simd(0xdf, a, b),
  /** The low or the high words of two such. */
  lowWords: (a, b) => [...a, ...b, 0xfd, 0x0d, ...LOW],
  highWords: (a, b) => [...a, ...b, 0xfd, 0x0d, ...LOW.map((byte) => byte + 4)],
  toFloat: (a) => simd(0xfb, a), // unsigned
  add: (a, b) => simd(0xe4, a, b),
  sub: (a, b) => simd(0xe5, a, b),
  mul: (a, b) => simd(0xe6, a, b),
  positive: (a) => simd(0x44, a, [0xfd, 0x0c, ...Array(16).fill(0)]),
};

const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
const text = (name) => [name.length, ...Array.from(name, (letter) => letter.charCodeAt(0))];

/** A module with one page of memory, exported, and one function `run` of so many i32 parameters and no result. */
export function assemble(parameters, ints, vectors, body) {
  const code = [2, ...leb(ints), 0x7f, ...leb(vectors), 0x7b, ...body, 0x0b];
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00,
    ...section(1, [1, 0x60, parameters, ...Array(parameters).fill(0x7f), 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text("memory"), 2, 0, ...text("run"), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}
