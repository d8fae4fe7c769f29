// Package docs is Parley's documentation. It is embedded so that the docs agent
// of a fresh installation has something true to answer from: what it is itself.
package docs

import "embed"

// FS holds the articles, *.md, at its root.
//
//go:embed *.md
var FS embed.FS
