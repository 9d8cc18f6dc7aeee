import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { type Agent, type Permission, login, logout, me } from "../api";

/** Who is logged in here. */
export const useAgent = defineStore("agent", () => {
  const agent = ref<Agent | null>(null);
  /** The gateway holds to it in any case; here it is what is shown at all. */
  const may = (what: Permission): boolean => agent.value?.permissions.includes(what) ?? false;
  const administers = computed(() => may("rules") || may("accounts") || may("audit"));
  let asked: Promise<void> | null = null;

  /** Ask the gateway once, at the first page. */
  function know(): Promise<void> {
    asked ??= me().then(
      (found) => {
        agent.value = found;
      },
      () => {
        // Not reachable: the login page says so when it is tried.
        asked = null;
      },
    );
    return asked;
  }

  async function enter(name: string, password: string): Promise<void> {
    agent.value = await login(name, password);
  }

  async function leave(): Promise<void> {
    await logout().catch(() => undefined);
    agent.value = null;
  }

  return { agent, may, administers, know, enter, leave };
});
