// What a reader has opened stays open, and what they have typed stays typed, while the page around it changes.
Idiomorph.defaults.ignoreActiveValue = true;
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
  !(name === "open" && node.tagName === "DETAILS");

// A browser has six connections to a host for all of its tabs: a page that nobody sees gives its own back.
htmx.createEventSource = (url) => new SeenSource(url);
class SeenSource {
  #listeners = [];
  #source;
  #over = false;
  constructor(url) {
    this.url = url;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#source?.close() : this.#open()));
    if (!document.hidden) this.#open();
  }
  get readyState() { return this.#source ? this.#source.readyState : EventSource.CONNECTING; }
  #open() {
    if (this.#over) return;
    this.#source?.close();
    this.#source = new EventSource(this.url);
    this.#source.onopen = (event) => this.onopen?.(event);
    this.#source.onerror = (event) => {
      // htmx makes a new one in the place of one that was given up.
      this.#over = this.readyState === EventSource.CLOSED;
      this.onerror?.(event);
    };
    for (const [name, listener] of this.#listeners) this.#source.addEventListener(name, listener);
  }
  addEventListener(name, listener) {
    this.#listeners.push([name, listener]);
    this.#source?.addEventListener(name, listener);
  }
  removeEventListener(name, listener) {
    this.#listeners = this.#listeners.filter((one) => one[0] !== name || one[1] !== listener);
    this.#source?.removeEventListener(name, listener);
  }
  close() {
    this.#over = true;
    this.#source?.close();
  }
}
