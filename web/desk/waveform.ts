/** The peaks of a recording as the gateway keeps them: an octet a channel and 100 ms, citizen and agent by turns. */
export const PEAK_S = 0.1;
export const WIDTH = 600;
export const HEIGHT = 64;

export interface Outlines {
  readonly citizen: string;
  readonly agent: string;
}

/** Both sides as SVG paths: the citizen above the middle line, the agent below it. Each column shows its loudest. */
export function outlines(peaks: Uint8Array, columns = WIDTH / 2): Outlines {
  const count = Math.floor(peaks.length / 2);
  const shown = Math.min(columns, count);
  const loudest = (side: 0 | 1) =>
    Array.from({ length: shown }, (_, column) => {
      const end = Math.floor(((column + 1) * count) / shown);
      let found = 0;
      for (let at = Math.floor((column * count) / shown); at < end; at++) found = Math.max(found, peaks[2 * at + side] ?? 0);
      return found;
    });
  return { citizen: outline(loudest(0), -1), agent: outline(loudest(1), 1) };
}

/** What is soft is drawn larger than it is (the root of it): speech is mostly soft, and is to be seen. */
function outline(loudness: readonly number[], away: 1 | -1): string {
  const middle = HEIGHT / 2;
  const step = WIDTH / Math.max(1, loudness.length);
  const points = loudness.map((value, column) => {
    const y = middle + away * Math.sqrt(value / 255) * middle;
    return `L${(column * step).toFixed(1)} ${y.toFixed(1)}H${((column + 1) * step).toFixed(1)}`;
  });
  return `M0 ${middle}${points.join("")}V${middle}Z`;
}
