/** @typedef {{ head: string[], rows: string[][] }} Table */

/** The cells of a CSV: quotes, commas and line ends inside quotes. @param {string} text @returns {Table} */
export function readTable(text) {
  /** @type {string[][]} */
  const rows = [[]];
  let [cell, quoted] = ['', false];
  const end = () => (rows[rows.length - 1].push(cell), (cell = ''));
  for (let n = 0; n < text.length; n++) {
    const letter = text[n];
    if (quoted && letter === '"' && text[n + 1] === '"') (cell += '"'), n++;
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === ',') end();
    else if (!quoted && (letter === '\n' || letter === '\r')) {
      if (letter === '\r' && text[n + 1] === '\n') n++;
      end();
      rows.push([]);
    } else cell += letter;
  }
  end();
  const [head, ...body] = rows.filter((row) => row.some((one) => one !== ''));
  return { head: (head ?? []).map((one) => one.trim()), rows: body };
}

/** A table as a CSV. @param {Table} table */
export const written = ({ head, rows }) => [head, ...rows].map((row) => row.map(quote).join(',')).join('\n');

/** @param {string} cell */
const quote = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
