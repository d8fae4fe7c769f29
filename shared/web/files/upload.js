// One file on its way to the server: leave asked for, bytes sent to the bucket
// with progress (fetch has none), completion told.

import { Problem } from "./call.js";
import { formatBytes } from "./format.js";
import { words } from "./words.js";

/** Media types by extension, for files that the browser gives no usable type. */
const BY_EXTENSION = {
  csv: "text/csv",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  gif: "image/gif",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  json: "application/json",
  log: "text/plain",
  md: "text/markdown",
  pdf: "application/pdf",
  png: "image/png",
  txt: "text/plain",
  webp: "image/webp",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  zip: "application/zip",
};

/**
 * The file's media type among the allowed ones. The end of its name goes first, with which the type has to agree:
 * browsers leave some types empty, and Windows names CSV after Excel.
 */
export function mediaType(file, allowed) {
  const said = file.type.split(";")[0].trim();
  const named = BY_EXTENSION[file.name.split(".").pop().toLowerCase()];
  if (allowed.includes(said) && !allowed.includes(named)) return said;
  return named ?? (said || "application/octet-stream");
}

export class Upload {
  /** `waiting`, `sending`, `checking`, `done` or `failed`. */
  state = "waiting";
  /** How much of the bytes is sent, 0 to 1. */
  progress = 0;
  /** Words for a failure. */
  problem = "";
  /** Whether trying again cannot help: the file is not one that may be sent. */
  refused = false;
  /** What a message carries, once done: `{id, name, type, size, url}`. */
  result = null;
  #api;
  #limits;
  #onchange;
  #abort = new AbortController();

  /** `limits` are `{enabled, maxBytes, types}`; without types the server alone judges them. */
  constructor(api, file, limits, onchange) {
    this.#api = api;
    this.#limits = limits;
    this.#onchange = onchange;
    this.file = file;
    this.type = mediaType(file, limits.types ?? []);
    this.preview = this.type.startsWith("image/") ? URL.createObjectURL(file) : null;
  }

  /** Does the whole way. Never throws: the state tells. */
  async run() {
    const refusal = this.#refusal();
    this.refused = refusal !== "";
    if (this.refused) return this.#fail(refusal);
    this.problem = "";
    const { signal } = this.#abort;
    try {
      this.#become("sending");
      const grant = await this.#api.grant(this.file.name, this.type, this.file.size, signal);
      await this.#post(grant.upload, signal);
      this.#become("checking");
      this.result = await this.#api.complete(grant.id, signal);
      this.#become("done");
    } catch (err) {
      if (!signal.aborted) this.#fail(words.uploadProblems[err.code] ?? err.message);
    }
  }

  /** Stops it and lets go of the preview. */
  cancel() {
    this.#abort.abort();
    if (this.preview) URL.revokeObjectURL(this.preview);
  }

  #refusal() {
    const { enabled, maxBytes, types } = this.#limits;
    if (!enabled) return words.uploadsOff;
    if (this.file.size === 0) return words.fileEmpty;
    if (this.file.size > maxBytes) return words.fileTooBig(formatBytes(maxBytes));
    return !types || types.includes(this.type) ? "" : words.fileType;
  }

  #post({ url, fields }, signal) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append("file", this.file);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.upload.onprogress = (e) => {
        if (e.lengthComputable) this.progress = e.loaded / e.total;
        this.#onchange();
      };
      request.onload = () =>
        request.status < 300
          ? resolve()
          : reject(new Problem(request.status, { code: "bucket", detail: words.uploadRefused }));
      request.onerror = () => reject(new Problem(0, { code: "bucket", detail: words.uploadCut }));
      request.onabort = () => reject(signal.reason);
      signal.addEventListener("abort", () => request.abort());
      request.open("POST", url);
      request.send(form);
    });
  }

  #become(state) {
    this.state = state;
    this.#onchange();
  }

  #fail(problem) {
    this.problem = problem;
    this.progress = 0;
    this.#become("failed");
  }
}
