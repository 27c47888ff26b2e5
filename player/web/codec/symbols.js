/** A segment as integers: rows of twelve columns a Gaussian, as in gvideo/model/symbols.py. */

export const X = 0;
export const Y = 1;
export const PRECISION = 2;
export const SCALE = 3;
export const RATIO = 4;
export const ANGLE = 5;
export const DURATION = 6;
export const CENTRE = 7;
export const TRAJECTORY = 8;
export const LUMA = 9;
export const BLUE = 10;
export const RED = 11;
export const NUM_COLUMNS = 12;
