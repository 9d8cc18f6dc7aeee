const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM_CHARS = 16;

let lastTime = 0;
let lastRandom: number[] = [];

/**
 * A new ULID (26 characters, Crockford base 32: 48 bits of milliseconds, 80 of chance).
 *
 * Within one page they rise strictly, even inside one millisecond: the outbox keeps the order of writing by sorting
 * on them after a reload. `getRandomValues` is there on plain http too, which `crypto.randomUUID` is not.
 */
export function ulid(now = Date.now()): string {
  if (now > lastTime) {
    lastTime = now;
    lastRandom = Array.from(crypto.getRandomValues(new Uint8Array(RANDOM_CHARS)), (byte) => byte & 31);
  } else {
    increment(lastRandom);
  }
  let time = "";
  for (let left = lastTime, place = 0; place < 10; place++, left = Math.floor(left / 32)) {
    time = ALPHABET.charAt(left % 32) + time;
  }
  return time + lastRandom.map((digit) => ALPHABET.charAt(digit)).join("");
}

/** The instant that a ULID was made, in milliseconds since 1970. */
export function ulidTime(id: string): number {
  let time = 0;
  for (const char of id.slice(0, 10)) time = time * 32 + ALPHABET.indexOf(char);
  return time;
}

function increment(digits: number[]): void {
  for (let place = digits.length - 1; place >= 0; place--) {
    const digit = (digits[place] ?? 0) + 1;
    digits[place] = digit & 31;
    if (digit < 32) return;
  }
}
