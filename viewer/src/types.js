/**
 * The document that the viewer paints. docs/document.md is the authority; this repeats it for the type checker.
 *
 * @typedef {{ head: string[], rows: string[][] }} DataTable
 * @typedef {{ title: string, caption: string, svg: string | null, src: string | null, alt: string, table: DataTable | null }} Figure
 * @typedef {{ index: number, label: string, probability: number }} Class
 * @typedef {{ first: string, second: string, correlation: number | null, overlap: number | null }} Agreement
 * @typedef {{ text: string, kind: 'text' | 'special' | 'template', start: number, end: number, word: number, sentence: number }} Token
 * @typedef {{ mode: string, limit: number, origin: string, clipped: number, peak: number, sentence: string }} Scale
 * @typedef {{ id: number | string, sign: 'for' | 'against', share: number, area: number, evidence: number, parts: number, box: number[], rle: string, place: string }} Region
 * @typedef {{ where: string, op: string, cause: string, amount: number }} Booking
 * @typedef {{ label: string, amount: number, kind: 'start' | 'change' | 'end' }} Bar
 * @typedef {{ seed: number, input: number, absorbed: number, error: number, sentence: string, rows: Booking[], rest: { count: number, amount: number } | null, waterfall: Bar[] }} Ledger
 * @typedef {{ text: string, value: number, share: number | null, tokens: number[] }} Span
 * @typedef {{ cli: string | null, python: string }} Command
 * @typedef {{ name: string, value: string, start: number, stop: number, kind: 'end' | 'column' | 'rest' | 'lost' }} Step
 * @typedef {{ token: number, target: string, output: number, equation: string }} NewToken
 *
 * What a map is, of a layer or of one of its parts.
 * @typedef {object} Mapped
 * @property {number[]} shape
 * @property {(number | null)[] | null} values
 * @property {string | null} map
 * @property {number} levels
 * @property {{ places: number[], q: number[] } | null} beyond
 * @property {number} pool
 * @property {Scale} scale
 * @property {Region[]} regions
 * @property {Span[]} words
 * @property {Span[]} sentences
 * @property {number[]} sinks
 * @property {{ rising: boolean, steps: Step[] } | null} columns
 *
 * @typedef {object} Asked
 * @property {string} id
 * @property {string} name
 * @property {string} method
 * @property {string} claim
 * @property {string} target
 * @property {number} output
 * @property {string} equation
 * @property {string | null} at
 * @property {boolean} signed
 * @property {boolean} adds
 * @property {[[string, number], [string, number]] | null} contrast
 * @property {number} forwards
 * @property {number | null} seconds
 * @property {string} sentence
 * @property {string[]} warnings
 * @property {string[]} notes
 * @property {string | null} nothing
 * @property {string | null} doubt
 * @property {Ledger | null} ledger
 * @property {NewToken[]} rows
 * @property {(Mapped & { name: string, share: number | null })[]} parts
 * @property {Command} command
 * @typedef {Asked & Mapped} Layer
 *
 * @typedef {{ kind: 'picture', src: string | null, width: number, height: number }} Picture
 * @typedef {{ kind: 'tokens', text: string, tokens: Token[] }} Tokens
 * @typedef {{ kind: 'generated', text: string, tokens: Token[], prompt: number, source: number, new: number[] }} Generated
 * @typedef {{ kind: 'table', columns: { name: string, value: string | null, baseline: string | null }[] }} Row
 * @typedef {{ kind: 'curves', channels: { name: string, values: (number | null)[] }[], length: number, unit: string, step: number | null, omitted: number }} Curves
 * @typedef {{ kind: 'spectrogram', channels: string[], height: number, width: number, frequencies: number[], times: number[], duration: number, unit: string, levels: string, low: number, high: number, omitted: number }} Spectrogram
 * @typedef {{ kind: 'values', length: number }} Values
 * @typedef {{ kind: 'inputs', parts: { name: string, subject: Subject, share: number | null }[] }} Inputs
 * @typedef {Picture | Tokens | Generated | Row | Curves | Spectrogram | Values | Inputs} Subject
 *
 * @typedef {{ src: string, score: number | null, caption: string, group: string }} Portrait
 * @typedef {{ unit: string, relevance: number, share: number, layer: string, peak: number, box: [number, number, number, number] | null, portrait: string | null, crops: string[] }} Concept
 *
 * @typedef {object} Score
 * @property {string} method
 * @property {string} metric
 * @property {string | null} condition
 * @property {number | null} score
 * @property {number | null} low
 * @property {number | null} high
 * @property {number | null} n
 * @property {number | null} forwards
 * @property {number | null} seconds
 * @property {number | null} floor
 * @property {number | null} ceiling
 * @property {number | null} rank
 * @property {'higher' | 'lower' | null} better
 * @property {string | null} reason
 *
 * @typedef {{ method: string, metric: string, x: number[], y: (number | null)[], low: (number | null)[] | null, high: (number | null)[] | null }} Curve
 * @typedef {{ title: string, head: string[], rows: string[][] }} Section
 *
 * @typedef {object} Doc
 * @property {number} schema
 * @property {string} kind
 * @property {string} title
 * @property {string} sentence
 * @property {string[]} notes
 * @property {string[]} warnings
 * @property {Record<string, unknown>} provenance
 * @property {Command} command
 * @property {Figure[]} figures
 * @property {string | null} [name]
 * @property {string | null} [truth]
 * @property {Subject} [subject]
 * @property {Layer[]} [layers]
 * @property {Class[]} [classes]
 * @property {Agreement[]} [agreement]
 * @property {{ method: string, reason: string }[]} [failures]
 * @property {Doc[]} [pages]
 * @property {number} [omitted]
 * @property {string} [at]
 * @property {Concept[]} [items]
 * @property {DataTable} [every]
 * @property {Portrait[]} [images]
 * @property {Portrait[]} [real]
 * @property {Score[]} [rows]
 * @property {Curve[]} [curves]
 * @property {Section[]} [sections]
 * @property {any} [judged] The scores of every item of an evaluation.
 */

export {};
