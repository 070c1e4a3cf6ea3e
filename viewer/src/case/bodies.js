import { CurvesCase } from './curves.js';
import { PictureCase } from './picture.js';
import { SpectrogramCase } from './spectrogram.js';
import { TableCase, ValuesCase } from './table.js';
import { TokensCase } from './tokens.js';

/** What paints each kind of subject; app.js adds those that only a call in Python gives. @type {Record<string, any>} */
export const BODIES = {
  picture: PictureCase,
  tokens: TokensCase,
  table: TableCase,
  curves: CurvesCase,
  spectrogram: SpectrogramCase,
  values: ValuesCase,
};
