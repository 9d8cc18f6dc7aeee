import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { type Agent, login, logout, me } from "../api";

/** Who is logged in here. */
export const useAgent = defineStore("agent", () => {
  const agent = ref<Agent | null>(null);
  const supervises = computed(() => agent.value !== null && agent.value.role !== "agent");
  const administers = computed(() => agent.value?.role === "administrator");
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

  return { agent, supervises, administers, know, enter, leave };
});
