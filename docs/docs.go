// Package docs is Parley's documentation. It is embedded so that the docs agent
// of a fresh installation has something true to answer from: what it is itself.
// What lies in folders here is for people only: examples, which are copied, and
// decisions, which are for who works on Parley.
package docs

import "embed"

// FS holds the articles, *.md, at its root.
//
//go:embed *.md
var FS embed.FS
