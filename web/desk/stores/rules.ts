import { defineStore } from "pinia";
import { computed, ref } from "vue";
import { type DeskRules, deskRules } from "../api";
import { veilOf } from "../veil";

const NONE: DeskRules = { revision: -1, queues: [], skills: [], roles: [], replies: [], words: [], wrap: { needed: [], extend_s: 60, extensions: 0 } };

/** What administrators have set that a desk shows: asked for once, and again whenever the gateway tells of a newer one. */
export const useRules = defineStore("rules", () => {
  const rules = ref<DeskRules>(NONE);
  let asking = NONE.revision;

  async function follow(revision: number): Promise<void> {
    if (revision === rules.value.revision || revision === asking) return;
    asking = revision;
    try {
      rules.value = await deskRules();
    } catch {
      asking = NONE.revision; // the gateway tells again when the link is back
    }
  }

  const veil = computed(() => veilOf(rules.value.words));
  const titles = computed(() => new Map(rules.value.queues.map((one) => [one.name, one])));

  /** Where there is room for one line alone: what is masked stays so. */
  function starred(text: string, writer: "agent" | "citizen"): string {
    const pieces = veil.value(text, writer);
    return pieces.map((piece) => (piece.act === "mask" ? "＊".repeat(piece.text.length) : piece.text)).join("");
  }

  return { rules, veil, titles, follow, starred };
});
