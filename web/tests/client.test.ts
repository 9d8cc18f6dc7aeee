import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Client, type Frame, type Link } from "@shared/client";
import { MemoryStorage, Outbox } from "@shared/outbox";
import { Close } from "@shared/protocol";
import { ulid, ulidTime } from "@shared/ulid";
import { BadNetwork, chance } from "./gateway";

type Said = { t: string; n: number };

const MESSAGES = 150;
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

class Page {
  readonly told: number[] = [];
  readonly links: Link[] = [];
  readonly refused: string[] = [];
  outdated = 0;
  readonly client: Client<Said>;

  constructor(
    network: BadNetwork,
    store: Storage,
    readonly outbox = new Outbox<Said>(store, "out."),
  ) {
    this.client = new Client<Said>({
      ticket: () => Promise.resolve("ticket"),
      open: () => network.open(),
      outbox,
      onFrame: (frame: Frame) => this.told.push((frame as Frame & Said).n),
      isAwaited: (frame: Frame) => (frame as Frame & Said).n >= 0,
      onLink: (link) => this.links.push(link),
      onRefused: (_id, _command, code) => this.refused.push(code),
      onOutdated: () => this.outdated++,
      build: "test",
    });
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
}

describe("a network that is cut again and again", () => {
  test.each(upTo(40))("loses, doubles and reorders nothing (seed %i)", async (seed) => {
    const random = chance(seed);
    vi.spyOn(Math, "random").mockImplementation(random);
    const network = new BadNetwork(random);
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(200);
    for (const n of upTo(MESSAGES)) {
      page.client.send({ t: "msg.send", n });
      network.push(n);
      if (random() < 0.04) network.cutAll();
      if (random() < 0.04) network.refuseNext = 2;
      await pass(random() * 60);
    }
    await pass(60_000);
    expect(network.done).toEqual(upTo(MESSAGES));
    expect(page.told).toEqual(upTo(MESSAGES));
    expect(page.outbox.pending).toEqual([]);
    page.client.stop();
  });

  test("a node that dies takes nothing along: what it had not acknowledged goes to the next", async () => {
    const network = new BadNetwork(chance(7));
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(200);
    for (const n of upTo(60)) {
      page.client.send({ t: "msg.send", n });
      if (n % 20 === 10) network.forget();
      await pass(15);
    }
    await pass(30_000);
    expect(network.done).toEqual(upTo(60));
    page.client.stop();
  });

  test("a reload in the middle loses, doubles and reorders nothing", async () => {
    const network = new BadNetwork(chance(11));
    const store = new MemoryStorage();
    const first = new Page(network, store);
    first.client.start();
    await pass(200);
    for (const n of upTo(10)) first.client.send({ t: "msg.send", n });
    await pass(15);
    first.client.stop();
    const second = new Page(network, store);
    second.client.send({ t: "msg.send", n: 10 });
    second.client.start();
    await pass(10_000);
    expect(network.done).toEqual(upTo(11));
    expect(store.length).toBe(0);
    second.client.stop();
  });
});

describe("a gateway that makes mistakes", () => {
  test("frames that it repeats are shown once", async () => {
    const network = new BadNetwork(chance(12));
    network.repeats = 5;
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(500);
    for (const n of upTo(20)) {
      network.push(n);
      if (n % 7 === 6) network.cutAll();
      await pass(1_000);
    }
    await pass(20_000);
    expect(page.told).toEqual(upTo(20));
    page.client.stop();
  });

  test("a frame that it left out is fetched before any later one is shown", async () => {
    const network = new BadNetwork(chance(13));
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(500);
    network.push(0);
    network.push(1, true);
    network.push(2);
    await pass(20_000);
    expect(page.told).toEqual([0, 1, 2]);
    page.client.stop();
  });

  test("one refusal of many in flight does not set off a storm of repeats", async () => {
    const network = new BadNetwork(chance(14), 1_500);
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(8_000);
    network.refuseNext = 1;
    for (const n of upTo(12)) {
      page.client.send({ t: "msg.send", n });
      await pass(100);
    }
    await pass(60_000);
    expect(network.done).toEqual(upTo(12));
    expect(network.heard).toBeLessThanOrEqual(3 * 12);
    page.client.stop();
  });
});

describe("refusals", () => {
  test("what is not accepted now is kept, and nothing overtakes it", async () => {
    const network = new BadNetwork(chance(3));
    network.refuseNext = 5;
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    for (const n of upTo(5)) page.client.send({ t: "msg.send", n });
    await pass(1_000);
    expect(network.done).toEqual([]);
    expect(page.outbox.pending).toHaveLength(5);
    await pass(60_000);
    expect(network.done).toEqual(upTo(5));
    page.client.stop();
  });

  test("a window that was replaced stays still until its person wants it back", async () => {
    const network = new BadNetwork(chance(4));
    const page = new Page(network, new MemoryStorage());
    network.closeNext = Close.REPLACED;
    page.client.start();
    await pass(120_000);
    expect(page.client.link).toBe("elsewhere");
    expect(network.hellos).toHaveLength(1);
    page.client.takeOver();
    await pass(1_000);
    expect(page.client.link).toBe("open");
    expect(network.hellos[1]?.take).toBe(true);
    page.client.stop();
  });

  test("a resume token that is not good any more is left out of the next hello", async () => {
    const network = new BadNetwork(chance(5));
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(500);
    network.closeNext = Close.AUTH;
    network.cutAll();
    await pass(20_000);
    expect(network.hellos.map(({ resume }) => resume)).toEqual([null, "link-1", null]);
    expect(page.client.link).toBe("open");
    page.client.stop();
  });

  test("a page whose tickets are never good does not ask for ever", async () => {
    const network = new BadNetwork(chance(5));
    network.closeAlways = Close.AUTH;
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(300_000);
    expect(page.client.link).toBe("refused");
    expect(network.hellos).toHaveLength(3);
  });

  test("a newer protocol asks for a newer page, once", async () => {
    const network = new BadNetwork(chance(6));
    network.closeNext = Close.VERSION;
    const page = new Page(network, new MemoryStorage());
    page.client.start();
    await pass(60_000);
    expect(page.outdated).toBe(1);
    expect(network.hellos).toHaveLength(1);
  });
});

test("a line that is dead without saying so is noticed, and left", async () => {
  const network = new BadNetwork(chance(8));
  const page = new Page(network, new MemoryStorage());
  page.client.start();
  await pass(1_000);
  network.isDeaf = true;
  page.client.send({ t: "msg.send", n: 0 });
  await pass(40_000);
  expect(page.client.link).not.toBe("open");
  network.isDeaf = false;
  await pass(60_000);
  expect(network.done).toEqual([0]);
  page.client.stop();
});

test("what nobody waits for is confirmed late, and with the first that somebody does", async () => {
  const network = new BadNetwork(chance(5));
  const page = new Page(network, new MemoryStorage());
  page.client.start();
  await pass(1_000);
  network.push(-1);
  network.push(-2);
  await pass(3_000);
  expect(network.confirmed).toEqual([]);
  network.push(3);
  await pass(400);
  expect(network.confirmed).toEqual([3]);
  network.push(-4);
  await pass(5_400);
  expect(network.confirmed).toEqual([3, 4]);
  page.client.stop();
});

test("a command of yesterday is not sent today: the gateway no longer knows whether it was done", () => {
  const store = new MemoryStorage();
  const outbox = new Outbox<Said>(store, "out.");
  outbox.add({ t: "msg.send", n: 1 });
  vi.setSystemTime(Date.now() + 25 * 3600 * 1000);
  expect(new Outbox<Said>(store, "out.").pending).toEqual([]);
  expect(store.length).toBe(0);
});

test("ulids rise within one millisecond and tell their time", () => {
  const ids = upTo(1000).map(() => ulid(1_700_000_000_123));
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(1000);
  expect(ids.every((id) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id))).toBe(true);
});

test("a ulid's time can be read back", () => {
  expect(ulidTime(ulid(1_900_000_000_456))).toBe(1_900_000_000_456);
});
