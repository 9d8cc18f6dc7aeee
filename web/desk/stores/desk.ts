import { Client, type Link } from "@shared/client";
import { Outbox } from "@shared/outbox";
import { type Desk, LONGEST_TEXT, type Unsent } from "@shared/protocol";
import { defineStore } from "pinia";
import { computed, reactive, ref, shallowReactive, shallowRef } from "vue";
import { Refused, ticket, upload } from "../api";
import { type Contact, type Entry, type Sending, grown, unreadOf } from "../contact";
import { dropDrafts } from "../drafts";
import { Gathering } from "../gathering";
import { useClock } from "./clock";
import { useMentions } from "./mentions";
import { useRules } from "./rules";

type Command = Unsent<Desk.Command>;

/** Something to tell the agent: words of the dictionary and what stands in them. */
export interface Remark {
  readonly key: string;
  readonly values?: Record<string, string | number>;
  readonly level: "info" | "warning" | "error";
}

const TYPING_SHOWN_S = 5;
const TYPING_EVERY_MS = 3_000;
const LEFT = "yihao.desk.left";
/** So soon after leaving, this window is its own reload and may take its place back without a word. */
const RELOAD_MS = 15_000;

/** Everything that the gateway has told this desk, and everything that can be asked of it. */
export const useDesk = defineStore("desk", () => {
  const clock = useClock();
  const link = ref<Link>("closed");
  const known = ref(false);
  const presence = ref<Desk.Presence | null>(null);
  const devices = ref<Desk.Devices>({ desk: false, phone: null });
  const offers = ref<Desk.Offer[]>([]);
  /** Each is another once something of it has changed: nothing within them is watched, however long they grow. */
  const contacts = shallowReactive(new Map<string, Contact>());
  const queues = ref<readonly Desk.Line[]>([]);
  const reach = reactive(new Map<string, Desk.ContactReach>());
  /** How each end of a contact's call sounds, as the gateway measures it. */
  const sounds = reactive(new Map<string, Partial<Record<Desk.ContactSound["party"], Desk.ContactSound>>>());
  const sending = reactive(new Map<string, Sending[]>());
  const typingUntil = reactive(new Map<string, number>());
  /** What the next answer of a contact quotes. */
  const quoting = reactive(new Map<string, Entry>());
  const current = ref<string | null>(null);
  const answering = ref<string | null>(null);
  /** A call was just begun: the contact that comes of it is wanted in front. */
  let isBeginning = false;
  const remark = shallowRef<Remark | null>(null);
  const limits = ref({ text: LONGEST_TEXT, file_bytes: 10 * 1024 * 1024 });
  const readUpTo = new Map<string, string>();
  const arrivals = new Gathering<Desk.Down>(hearAll, () => document.visibilityState === "visible");
  let client: Client<Command> | null = null;
  let typedAt = 0;
  let isLookedAt = false;

  const list = computed(() => [...contacts.values()].sort((one, other) => one.opened_at - other.opened_at));
  const shown = computed(() => (current.value ? (contacts.get(current.value) ?? null) : null));
  const isMissed = computed(() => presence.value?.routing === "not_responding");

  function open(login: string): void {
    const outbox = new Outbox<Command>(sessionStorage, `yihao.out.${login}.`);
    for (const { id, command } of outbox.pending) noteSending(id, command);
    client = new Client<Command>({
      ticket,
      open: () => new WebSocket(`${location.origin.replace(/^http/, "ws")}/api/desk/socket`),
      outbox,
      onFrame: (frame) => arrivals.add(frame as Desk.Down),
      onLink: (now) => (link.value = now),
      onWelcome: (welcome) => {
        limits.value = welcome.limits;
        clock.follow(welcome.srv_ts);
      },
      onRefused: refused,
      onOutdated: () => location.reload(),
      take: Date.now() - Number(sessionStorage.getItem(LEFT) ?? 0) < RELOAD_MS,
      build: "1",
    });
    sessionStorage.removeItem(LEFT);
    client.start();
    addEventListener("online", hurry);
    document.addEventListener("visibilitychange", onVisible);
    addEventListener("pagehide", onLeave);
  }

  function close(): void {
    client?.stop();
    client = null;
    arrivals.drop();
    known.value = false;
    offers.value = [];
    contacts.clear();
    reach.clear();
    sounds.clear();
    sending.clear();
    removeEventListener("online", hurry);
    document.removeEventListener("visibilitychange", onVisible);
    removeEventListener("pagehide", onLeave);
  }

  const hurry = () => client?.hurry();
  const onLeave = () => sessionStorage.setItem(LEFT, String(Date.now()));
  const onVisible = () => {
    hurry();
    arrivals.flush();
    markRead();
  };

  /** Entries have their places by themselves, whatever comes between them: those of a contact are put in at once. */
  function hearAll(frames: readonly Desk.Down[]): void {
    const entries = new Map<string, Desk.ContactTimeline[]>();
    for (const frame of frames) {
      if (frame.t !== "contact.timeline") hear(frame);
      else if (!entries.get(frame.session)?.push(frame)) entries.set(frame.session, [frame]);
    }
    for (const [session, theirs] of entries) takeEntries(session, theirs);
    markRead();
  }

  function hear(frame: Exclude<Desk.Down, Desk.ContactTimeline>): void {
    switch (frame.t) {
      case "snapshot":
        return takeSnapshot(frame);
      case "offer.new":
        offers.value = [...offers.value.filter(({ session }) => session !== frame.session), frame];
        return;
      case "offer.revoked":
        return dropOffer(frame);
      case "contact.state":
        return takeContact(frame);
      case "contact.gone":
        return dropContact(frame.session);
      case "presence.self":
        presence.value = frame;
        return;
      case "device.state":
        devices.value = { desk: frame.desk, phone: frame.phone };
        return;
      case "queue.stats":
        queues.value = frame.queues;
        return;
      case "contact.reach":
        reach.set(frame.session, frame);
        return;
      case "contact.sound":
        sounds.set(frame.session, { ...sounds.get(frame.session), [frame.party]: frame });
        return;
      case "typing":
        typingUntil.set(frame.session, clock.now_s + TYPING_SHOWN_S);
        return;
      case "rules.changed":
        void useRules().follow(frame.revision);
        return;
      case "mention.new": {
        const { t: _t, seq: _seq, ...mention } = frame;
        useMentions().add(mention);
        remark.value = { key: "mentions.told", values: { by: useMentions().names.get(mention.by) ?? mention.by }, level: "info" };
        return;
      }
      case "notice":
        remark.value = { key: frame.text_key, values: { by: frame.by, text: frame.text }, level: frame.level };
    }
  }

  function takeSnapshot(frame: Desk.Snapshot): void {
    presence.value = frame.presence;
    devices.value = frame.devices;
    offers.value = [...frame.offers];
    queues.value = frame.queues;
    contacts.clear();
    for (const contact of frame.contacts) {
      contacts.set(contact.session, contact);
      settleSending(contact.session, contact.timeline);
    }
    if (!current.value || !contacts.has(current.value)) current.value = list.value[0]?.session ?? null;
    known.value = true;
  }

  function takeContact(frame: Desk.ContactState): void {
    const { t: _t, seq: _seq, ...state } = frame;
    const before = contacts.get(frame.session);
    contacts.set(frame.session, { ...state, timeline: before?.timeline ?? [] });
    if (before) return;
    // The one that was just accepted comes to the front; another does not push away what is being written.
    const isWanted = answering.value === frame.session || (isBeginning && frame.assignee !== null);
    if (isWanted || !shown.value || shown.value.phase === "wrapping") show(frame.session);
    answering.value = null;
    isBeginning = false;
  }

  function takeEntries(session: string, entries: readonly Desk.ContactTimeline[]): void {
    const contact = contacts.get(session);
    if (!contact) return;
    contacts.set(session, { ...contact, timeline: grown(contact.timeline, entries) });
    settleSending(session, entries);
    const hasWritten = entries.some(({ entry }) => (entry.kind === "text" || entry.kind === "file") && entry.who.kind === "citizen");
    if (hasWritten) typingUntil.delete(session);
  }

  function dropContact(session: string): void {
    contacts.delete(session);
    sending.delete(session);
    reach.delete(session);
    sounds.delete(session);
    quoting.delete(session);
    dropDrafts(session);
    if (current.value === session) current.value = list.value[0]?.session ?? null;
  }

  function dropOffer(frame: Desk.OfferRevoked): void {
    const isThere = offers.value.some(({ session, token }) => session === frame.session && token === frame.token);
    offers.value = offers.value.filter(({ session, token }) => session !== frame.session || token !== frame.token);
    if (frame.reason !== "accepted" && answering.value === frame.session) answering.value = null;
    if (isThere && ["expired", "cancelled", "rescinded"].includes(frame.reason)) {
      remark.value = { key: `offer.gone.${frame.reason}`, level: "warning" };
    }
  }

  function settleSending(session: string, entries: readonly Desk.Placed[]): void {
    const waiting = sending.get(session);
    if (!waiting?.length) return;
    const there = new Set(entries.map(({ entry }) => ("message" in entry ? entry.message : "")));
    sending.set(session, waiting.filter(({ id }) => !there.has(id)));
  }

  function noteSending(id: string, command: Command): void {
    if (command.t !== "msg.send" && command.t !== "file.send") return;
    const text = command.t === "msg.send" ? command.text : null;
    const file = command.t === "file.send" ? { id: command.file, name: command.name, content_type: "", size: 0 } : null;
    sending.set(command.session, [...(sending.get(command.session) ?? []), { id, text, file, failed: false }]);
  }

  function refused(id: string, command: Command, code: string): void {
    if (command.t === "msg.send" || command.t === "file.send") {
      const marked = (sending.get(command.session) ?? []).map((one) => (one.id === id ? { ...one, failed: true } : one));
      sending.set(command.session, marked);
    }
    if (command.t === "offer.accept" || command.t === "offer.decline") {
      offers.value = offers.value.filter(({ session, token }) => session !== command.session || token !== command.token);
      answering.value = null;
    }
    if (command.t === "call.begin") isBeginning = false;
    if (command.t !== "msg.read") remark.value = { key: `refused.${code}`, values: { code }, level: "error" };
  }

  function send(command: Command): void {
    const id = client?.send(command);
    if (id) noteSending(id, command);
  }

  function show(session: string | null): void {
    current.value = session;
    markRead();
  }

  /** Whether the contacts are in front: while the agent looks at something else, nothing is read. */
  function look(isHere: boolean): void {
    isLookedAt = isHere;
    markRead();
  }

  /** What is in front and looked at has been read. */
  function markRead(): void {
    const contact = shown.value;
    if (!isLookedAt || !contact || contact.phase !== "active" || document.visibilityState !== "visible") return;
    const unread = unreadOf(contact.timeline);
    const newest = unread[unread.length - 1];
    if (!newest || readUpTo.get(contact.session) === newest) return;
    readUpTo.set(contact.session, newest);
    client?.send({ t: "msg.read", session: contact.session, message: newest });
  }

  function mentionTyping(session: string): void {
    if (Date.now() - typedAt < TYPING_EVERY_MS) return;
    typedAt = Date.now();
    client?.mention({ t: "typing", session });
  }

  /** Call a number of one's own accord. */
  function begin(number: string): void {
    isBeginning = true;
    send({ t: "call.begin", number });
  }

  function accept(offer: Desk.Offer): void {
    if (answering.value) return;
    answering.value = offer.session;
    send({ t: "offer.accept", session: offer.session, token: offer.token });
  }

  function decline(offer: Desk.Offer): void {
    send({ t: "offer.decline", session: offer.session, token: offer.token, reason: "desk" });
    offers.value = offers.value.filter((one) => one !== offer);
  }

  async function attach(session: string, file: File): Promise<void> {
    if (file.size > limits.value.file_bytes) return complainOfFile("too_large");
    try {
      const taken = await upload(file);
      send({ t: "file.send", session, file: taken.file, name: taken.name });
    } catch (refusal) {
      const status = refusal instanceof Refused ? refusal.status : 0;
      complainOfFile(status === 413 ? "too_large" : status === 415 ? "kind" : "failed");
    }
  }

  function complainOfFile(what: "too_large" | "kind" | "failed"): void {
    remark.value = { key: `file.${what}`, values: { mb: Math.round(limits.value.file_bytes / 1024 / 1024) }, level: "error" };
  }

  /** Write a refused message again, as a new one. */
  function sendAgain(session: string, one: Sending): void {
    sending.set(session, (sending.get(session) ?? []).filter(({ id }) => id !== one.id));
    if (one.text !== null) send({ t: "msg.send", session, text: one.text });
    else if (one.file) send({ t: "file.send", session, file: one.file.id, name: one.file.name });
  }

  return {
    ...{ link, known, presence, devices, offers, contacts, queues, reach, sounds, sending, quoting, typingUntil, current, answering, remark },
    ...{ limits, list, shown, isMissed, open, close, show, look, send, begin, accept, decline, attach, sendAgain, mentionTyping },
    takeOver: () => client?.takeOver(),
  };
});
