package gateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// upgrades reports whether a request asks for a WebSocket (RFC 6455, 4.2.1). It is
// asked before the function is, for a client that cannot be upgraded has not
// connected.
func upgrades(r *http.Request) bool {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	return r.Method == http.MethodGet && r.ProtoAtLeast(1, 1) &&
		hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" &&
		len(r.Header.Values("Sec-WebSocket-Key")) == 1 && err == nil && len(key) == 16
}

func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(h.Values(name), ","), ","), func(s string) bool {
		return strings.EqualFold(strings.TrimSpace(s), token)
	})
}
