// The sentences of the shared modules. What has a blank to fill is a function.

export const words = {
  toDark: "Switch to the dark theme",
  toLight: "Switch to the light theme",
  copy: "Copy code",
  copied: "Copied",
  copyFailed: "Select and copy by hand",
  picture: (alt) => (alt ? `Picture: ${alt}` : "Picture"),
  sources: "Sources",
  today: "Today",
  yesterday: "Yesterday",
  writing: (name) => `${name} is writing…`,
  newMessages: "New messages",

  attach: "Attach files",
  uploadsBusy: "The message can be sent when the upload has finished.",
  uploading: (name, percent) => `Uploading ${name}, ${percent} %`,
  checking: "Checking…",
  queued: "Waiting…",
  uploaded: (name) => `${name} is attached`,
  cancelUpload: (name) => `Cancel upload of ${name}`,
  removeUpload: (name) => `Remove ${name}`,
  retryUpload: (name) => `Try again to upload ${name}`,
  uploadsOff: "Files cannot be attached here.",
  tooManyFiles: (n) => `A message carries at most ${n} ${n === 1 ? "file" : "files"}.`,
  fileTooBig: (size) => `Files can have at most ${size}.`,
  fileEmpty: "This file is empty.",
  fileType: "Files of this type are not taken.",
  uploadCut: "The upload was interrupted.",
  uploadRefused: "The storage refused this file.",

  // What the codes of problem documents mean where a file is uploaded.
  uploadProblems: {
    uploads_limit: "That were too many files for now. Please try again later.",
    uploads_off: "Files cannot be attached here.",
    upload_refused: "This file is not what its name and type promise.",
    upload_incomplete: "The file did not arrive completely.",
    upload_changed: "The file changed during the upload.",
    unavailable: "The server is busy. Please try again in a moment.",
    network: "The server could not be reached.",
  },
};
