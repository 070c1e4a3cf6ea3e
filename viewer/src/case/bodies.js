import { CurvesCase } from './curves.js';
import { GeneratedCase } from './generated.js';
import { InputsCase } from './inputs.js';
import { PictureCase } from './picture.js';
import { SpectrogramCase } from './spectrogram.js';
import { TableCase, ValuesCase } from './table.js';
import { TokensCase } from './tokens.js';

/** What paints each kind of subject. @type {Record<string, any>} */
export const BODIES = {
  picture: PictureCase,
  tokens: TokensCase,
  generated: GeneratedCase,
  table: TableCase,
  curves: CurvesCase,
  spectrogram: SpectrogramCase,
  values: ValuesCase,
  inputs: InputsCase,
};
