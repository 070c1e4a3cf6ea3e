// The edge of a region as a path of an SVG.

/**
 * Which places lie in a region: run lengths of outside and inside in turn, row by row, outside first.
 *
 * @param {string} rle
 * @param {number} size How many places the map has.
 */
export function maskOf(rle, size) {
  const mask = new Uint8Array(size);
  let place = 0;
  rle.split(/[ ,]+/).map(Number).forEach((run, n) => {
    if (n % 2) mask.fill(1, place, place + run);
    place += run;
  });
  return mask;
}

/**
 * The edges of a mask as closed loops along the sides of its places; the inside lies to the right.
 *
 * @param {Uint8Array} mask
 * @param {number} height
 * @param {number} width
 * @returns {string} For the attribute `d`, in places.
 */
export function outline(mask, height, width) {
  /** @type {Map<number, number[]>} From a corner to the corners that edges lead to. */
  const edges = new Map();
  const wide = width + 1;
  const at = (/** @type {number} */ row, /** @type {number} */ column) =>
    row >= 0 && column >= 0 && row < height && column < width && mask[row * width + column] === 1;
  const edge = (/** @type {number} */ from, /** @type {number} */ to) => edges.set(from, [...(edges.get(from) ?? []), to]);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (!mask[row * width + column]) continue;
      const corner = row * wide + column;
      if (!at(row - 1, column)) edge(corner, corner + 1);
      if (!at(row, column + 1)) edge(corner + 1, corner + wide + 1);
      if (!at(row + 1, column)) edge(corner + wide + 1, corner + wide);
      if (!at(row, column - 1)) edge(corner + wide, corner);
    }
  }
  return loops(edges, wide);
}

/** @param {Map<number, number[]>} edges @param {number} wide */
function loops(edges, wide) {
  let path = '';
  for (const [start, targets] of edges) {
    while (targets.length) path += rounded(loop(edges, start, /** @type {number} */ (targets.pop())), wide);
  }
  return path;
}

/** The corners of one loop. @param {Map<number, number[]>} edges @param {number} start @param {number} second */
function loop(edges, start, second) {
  const corners = [start];
  let [from, to] = [start, second];
  while (to !== start) {
    corners.push(to);
    const onward = /** @type {number[]} */ (edges.get(to));
    // Where two places touch at a corner only, turn: each keeps its own loop.
    const turn = onward.length > 1 ? onward.findIndex((next) => Math.abs(next - to) !== Math.abs(to - from)) : 0;
    const [next] = onward.splice(Math.max(0, turn), 1);
    [from, to] = [to, next];
  }
  return corners;
}

/** A loop with its corners rounded, from the middle of one edge to that of the next. @param {number[]} corners @param {number} wide */
function rounded(corners, wide) {
  const at = (/** @type {number} */ n) => [corners[n % corners.length] % wide, Math.floor(corners[n % corners.length] / wide)];
  const middle = (/** @type {number} */ n) => at(n).map((x, axis) => (x + at(n + 1)[axis]) / 2);
  const curves = corners.map((_, n) => `Q${at(n + 1).join(' ')} ${middle(n + 1).join(' ')}`);
  return `M${middle(0).join(' ')}${curves.join('')}Z`;
}
