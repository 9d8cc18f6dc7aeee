import { createRouter, createWebHistory } from "vue-router";
import { useAgent } from "./stores/agent";
import DeskView from "./views/DeskView.vue";
import LoginView from "./views/LoginView.vue";

export const router = createRouter({
  history: createWebHistory("/desk"),
  routes: [
    { path: "/", name: "desk", component: DeskView },
    { path: "/login", name: "login", component: LoginView },
    { path: "/:rest(.*)*", redirect: "/" },
  ],
});

router.beforeEach(async (to) => {
  const agent = useAgent();
  await agent.know();
  if (to.name !== "login" && !agent.agent) return { name: "login" };
  if (to.name === "login" && agent.agent) return { name: "desk" };
  return true;
});
