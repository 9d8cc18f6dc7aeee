import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { type Colleague, type Mention, colleagues as askColleagues, lookedAt, unseenMentions } from "../api";

/** A note is in the history a moment after it is told; one that fell into that gap is asked for again. */
const AGAIN_MS = 60_000;

/** Notes of colleagues that name this agent, until they have looked; and the colleagues who can be named. */
export const useMentions = defineStore("mentions", () => {
  const unseen = ref<readonly Mention[]>([]);
  const colleagues = ref<readonly Colleague[]>([]);
  const names = computed(() => new Map(colleagues.value.map(({ login, name }) => [login, name])));
  let timer = 0;

  function open(): void {
    clearInterval(timer);
    timer = window.setInterval(() => void renew(), AGAIN_MS);
    void renew();
  }

  function close(): void {
    clearInterval(timer);
    unseen.value = [];
  }

  async function renew(): Promise<void> {
    const [found, people] = await Promise.all([unseenMentions().catch(() => null), askColleagues().catch(() => null)]);
    if (people) colleagues.value = people;
    for (const one of found ?? []) add(one);
  }

  function add(one: Mention): void {
    const isThere = unseen.value.some(({ session, version }) => session === one.session && version === one.version);
    if (!isThere) unseen.value = [...unseen.value, one].sort((a, b) => b.at - a.at);
  }

  /** A session is looked at, and with it all that called the agent there. */
  async function look(session: string): Promise<void> {
    unseen.value = unseen.value.filter((one) => one.session !== session);
    await lookedAt(session).catch(() => undefined);
  }

  return { unseen, colleagues, names, open, close, add, look };
});
