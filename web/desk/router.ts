import { createRouter, createWebHistory } from "vue-router";
import type { Permission } from "./api";
import { useAgent } from "./stores/agent";
import ContactsView from "./views/ContactsView.vue";
import DeskView from "./views/DeskView.vue";
import HistoryView from "./views/HistoryView.vue";
import LoginView from "./views/LoginView.vue";

export const router = createRouter({
  history: createWebHistory("/desk"),
  routes: [
    {
      path: "/",
      component: DeskView,
      children: [
        { path: "", name: "desk", component: ContactsView },
        { path: "history/:session?", name: "history", component: HistoryView },
        // Loaded by those who may see it, and by nobody else.
        { path: "supervision", name: "supervision", component: () => import("./views/SupervisionView.vue"), meta: { needs: "supervise" } },
        { path: "wallboard", name: "wallboard", component: () => import("./views/WallboardView.vue"), meta: { needs: "wallboard" } },
        { path: "administration/:section?", name: "administration", component: () => import("./views/AdministrationView.vue"), meta: { administers: true } },
      ],
    },
    { path: "/login", name: "login", component: LoginView },
    { path: "/:rest(.*)*", redirect: "/" },
  ],
});

router.beforeEach(async (to) => {
  const agent = useAgent();
  await agent.know();
  if (to.name !== "login" && !agent.agent) return { name: "login" };
  if (to.meta["needs"] && !agent.may(to.meta["needs"] as Permission)) return { name: "desk" };
  if (to.meta["administers"] && !agent.administers) return { name: "desk" };
  if (to.name === "login" && agent.agent) return { name: "desk" };
  return true;
});
