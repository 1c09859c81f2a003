// One prompt, one seed, all models: asked for, seen forming, kept in a row below.

import { call, get, inOrder, post } from "/static/api.js";
import { announce, button, count, el, icon } from "/static/dom.js";
import { toggleTheme } from "/static/shell.js";

const at = (id) => document.getElementById(id);
const LOCK = "M7 11V8a5 5 0 0 1 10 0v3M5.5 11h13v9h-13z";
const OPEN = "M7 11V8a5 5 0 0 1 9.6-2M5.5 11h13v9h-13z";

const AWAY = "The studio cannot be reached; trying again";
const RETRY_MS = 2000;

class Studio {
  constructor() {
    this.job = null; // the one on the wall
    this.stream = null;
    this.locked = false;
    this.past = [];
    this.asking = null; // what the server was asked to draw and has not answered yet
    this.askPast = inOrder(() => get("/api/jobs"));
    this.listen(); // at once: whoever types before the models are known is heard, and waits in `draw`
    this.paintLock();
    this.ready().catch((error) => this.trouble(error.message));
    window.early.over();
    if (window.early.asked) this.draw();
  }

  /** Resolves when the models are known; they are asked for anew when the answer did not come. */
  ready() {
    this.furnished ??= this.furnish().catch((error) => {
      this.furnished = null;
      throw error;
    });
    return this.furnished;
  }

  async furnish() {
    this.house = await get("/api/models");
    const { models, samplers, limits } = this.house;
    const [first] = models;
    at("steps").placeholder = String(first.num_inference_steps);
    at("steps").max = String(limits.max_steps);
    at("guidance").placeholder = String(first.guidance_scale);
    at("count").max = String(limits.max_count);
    at("size").placeholder = String(first.size_px);
    at("size").min = at("size").step = String(limits.size_step_px); // what all models here can draw
    at("size").max = String(limits.max_size_px);
    at("prompt").maxLength = at("negative").maxLength = limits.max_prompt_chars;
    at("sampler").append(el("option", { value: "" }, `${first.sampler}, as usual`), ...samplers.map((name) => el("option", { value: name }, name)));
    document.querySelector(".topbar").append(button("", { picture: "theme", class: "plain", "aria-label": "Light or dark", title: "Light or dark" }, toggleTheme));
    this.hang({ count: 1 });
    this.recall();
  }

  listen() {
    at("desk").addEventListener("submit", (event) => {
      event.preventDefault();
      this.draw();
    });
    at("prompt").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.draw();
    });
    at("cancel").addEventListener("click", () => this.cancel());
    at("lock").addEventListener("click", () => {
      this.locked = !this.locked;
      this.paintLock();
    });
    at("seed").addEventListener("input", () => {
      this.locked = Boolean(at("seed").value); // a seed that somebody typed is meant to be used
      this.paintLock();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.busy) this.cancel();
    });
  }

  paintLock() {
    const drawing = icon("pin");
    drawing.firstChild.setAttribute("d", this.locked ? LOCK : OPEN);
    at("lock").replaceChildren(drawing);
    at("lock").setAttribute("aria-pressed", String(this.locked));
  }

  get busy() {
    return this.job !== null && ["waiting", "drawing"].includes(this.job.state);
  }

  asked() {
    const number = (id) => (at(id).value.trim() === "" ? null : Number(at(id).value));
    return {
      prompt: at("prompt").value.trim(), negative_prompt: at("negative").value.trim(), count: number("count") ?? 1,
      seed: this.locked ? number("seed") : null, num_inference_steps: number("steps"), guidance_scale: number("guidance"),
      sampler: at("sampler").value || null, size_px: number("size"),
    };
  }

  async draw() {
    const asked = this.asked();
    if (!asked.prompt) {
      at("prompt").focus();
      return;
    }
    const words = JSON.stringify(asked);
    if (this.asking === words) return; // pressed twice
    this.asking = words;
    const seed = at("seed").value;
    this.trouble("");
    this.say("Asking");
    try {
      await this.ready();
      const job = await post("/api/jobs", asked);
      if (this.asking !== words) return; // something else was asked for since, and is to be seen
      if (at("seed").value === seed) at("seed").value = String(job.request.seed); // else the next one is typed already
      this.follow(job);
    } catch (error) {
      this.say("");
      this.trouble(error.message);
    } finally {
      if (this.asking === words) this.asking = null;
    }
  }

  async cancel() {
    const { job } = this;
    if (!job) return;
    try {
      await call("DELETE", `/api/jobs/${job.id}`);
    } catch (error) {
      this.trouble(error.message);
    }
  }

  /** Put a job on the wall and listen to it to its end. */
  follow(job) {
    this.stream?.close();
    this.job = job;
    this.hang(job.request);
    this.show(job.state);
    const stream = this.stream = new EventSource(`/api/jobs/${job.id}/events`);
    const on = (name, run) => stream.addEventListener(name, (event) => run(JSON.parse(event.data)));
    on("waiting", ({ before }) => this.say(before ? `${count(before, "job")} before yours` : "Next in line"));
    on("drawing", () => this.show("drawing"));
    on("step", (step) => this.step(step));
    on("picture", (picture) => this.picture(job, picture));
    for (const end of ["done", "cancelled", "failed"]) on(end, (told) => this.end(job, end, told));
    stream.onerror = () => {
      if (this.job !== job || !this.busy) return;
      this.say(AWAY);
      // Where it is refused it does not try again by itself.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => this.findAgain(job), RETRY_MS);
    };
  }

  /** The server is back, perhaps as another that knows nothing of this job, or something before it answers in its place. */
  async findAgain(job) {
    if (this.job !== job) return;
    try {
      const found = await get(`/api/jobs/${job.id}`);
      if (this.job === job) this.follow(found);
    } catch (error) {
      if (this.job !== job) return;
      if (error.passing) setTimeout(() => this.findAgain(job), RETRY_MS);
      else this.end(job, "failed", { error: error.status === 404 ? "The studio was started anew, and this drawing is lost." : error.message });
    }
  }

  /** Empty frames for what is to come. */
  hang({ count: many }) {
    const columns = many === 1 ? 1 : many <= 4 ? 2 : 3;
    this.frames = new Map();
    at("wall").replaceChildren(...this.house.models.map((model) => {
      const figures = Array.from({ length: many }, (_, number) => {
        const figure = el("figure", { class: "picture" });
        this.frames.set(`${model.name} ${number}`, figure);
        return figure;
      });
      const note = el("small", {});
      this.frames.set(model.name, note);
      const pictures = el("div", { class: "pictures" }, figures);
      pictures.style.setProperty("--columns", columns);
      return el("section", { class: "easel", "aria-label": model.name }, el("h2", {}, model.name, note), pictures);
    }));
  }

  step({ model, number, step, total, preview }) {
    const figure = this.frames.get(`${model} ${number}`);
    if (!figure || figure.dataset.done) return;
    this.frames.get(model).textContent = `step ${step} of ${total}`;
    figure.classList.add("forming");
    if (!figure.querySelector(".far")) figure.append(el("span", { class: "far", "aria-hidden": "true" }, el("i")));
    figure.querySelector(".far i").style.transform = `scaleX(${step / total})`;
    if (preview === undefined) return;
    const shown = preview === null ? veil() : el("img", { src: preview, alt: "" });
    figure.querySelector("img, .veil")?.remove();
    figure.prepend(shown);
  }

  picture(job, { model, number, seed, withheld }) {
    const figure = this.frames.get(`${model} ${number}`);
    if (!figure) return;
    const url = `/api/jobs/${job.id}/pictures/${encodeURIComponent(model)}/${number}.png`;
    figure.dataset.done = "yes";
    figure.classList.remove("forming");
    if (withheld) {
      figure.replaceChildren(veil());
      return;
    }
    const image = el("img", { src: url, alt: `${job.request.prompt}, by ${model}, seed ${seed}` });
    image.decode().catch(() => null).then(() => figure.replaceChildren(
      image, el("span", { class: "seed-chip" }, `seed ${seed}`),
      el("a", { class: "button save", href: url, download: `${model}-${seed}.png`, "aria-label": `Download the picture by ${model}, seed ${seed}` }, "Download")));
  }

  end(job, state, { error } = {}) {
    this.stream?.close();
    job.state = state;
    this.show(state);
    if (error) this.trouble(error);
    announce({ done: "The pictures are done.", cancelled: "Cancelled.", failed: "That did not work." }[state]);
    this.recall();
  }

  show(state) {
    if (this.job) this.job.state = state;
    at("cancel").hidden = !this.busy;
    at("draw").hidden = this.busy;
    at("wall").setAttribute("aria-busy", String(this.busy));
    for (const model of this.house.models) if (!this.busy) this.frames.get(model.name).textContent = "";
    this.say({ waiting: "Waiting", drawing: "Drawing", done: "", cancelled: "Cancelled", failed: "That did not work" }[state] ?? "");
  }

  say(words) {
    at("state").textContent = words;
  }

  trouble(words) {
    at("trouble").hidden = !words;
    at("trouble").textContent = words;
  }

  /** What was drawn before, newest first. */
  async recall() {
    const told = await this.askPast().catch(() => null); // the row below is not worth a message
    if (!told) return;
    this.past = told.jobs.filter((job) => job.pictures.length);
    at("past").hidden = !this.past.length;
    at("history").replaceChildren(...this.past.map((job) => el("li", {}, el("button", {
      type: "button", title: job.request.prompt, onclick: () => this.restore(job),
    }, el("span", { class: "strip" }, this.house.models.flatMap((model) => {
      const one = job.pictures.find((picture) => picture.model === model.name && !picture.withheld);
      return one ? [el("img", { src: one.url, alt: "", loading: "lazy" })] : [];
    })), el("span", { class: "words" }, job.request.prompt)))));
  }

  /** An earlier job back on the wall, and its words and numbers back on the desk. */
  restore(job) {
    const { request } = job;
    at("prompt").value = request.prompt;
    at("seed").value = String(request.seed);
    at("negative").value = request.negative_prompt;
    at("count").value = String(request.count);
    at("steps").value = request.num_inference_steps ?? "";
    at("guidance").value = request.guidance_scale ?? "";
    at("sampler").value = request.sampler ?? "";
    at("size").value = request.size_px ?? "";
    this.locked = true;
    this.paintLock();
    this.follow(job);
  }
}

function veil() {
  return el("span", { class: "veil" }, "Withheld: it may be unsafe for work.");
}

new Studio();
