package api

import (
	_ "embed"
	"io"
	"net/http"
)

// OpenAPI describes the native API: every call, schema, code, header and event.
//
//go:embed openapi.yaml
var OpenAPI string

// ServeOpenAPI answers with OpenAPI. It may be stored for five minutes.
func ServeOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = io.WriteString(w, OpenAPI)
	return nil
}
