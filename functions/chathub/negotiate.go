package chathub

import (
	"crypto/rand"
	"net/http"

	"parley/shared/api"
)

// negotiated tells a client how to connect. It names WebSockets alone, and text: any
// other transport would be one to fall back to, and frames of bytes end connections at
// API Gateway. It never has useStatefulReconnect, without which clients that ask for
// it do well.
type negotiated struct {
	NegotiateVersion int    `json:"negotiateVersion"`
	ConnectionID     string `json:"connectionId"`
	// ConnectionToken comes back as the id of the upgrade, pasted into its address as it
	// is. Nothing depends on it: clients may connect without.
	ConnectionToken     string      `json:"connectionToken"`
	AvailableTransports []transport `json:"availableTransports"`
}

type transport struct {
	Transport       string   `json:"transport"`
	TransferFormats []string `json:"transferFormats"`
}

// negotiate answers whether and how a client may connect. Only here does it learn why
// it may not: a browser tells a page nothing of an upgrade that is refused.
func (h *Hub) negotiate(w http.ResponseWriter, r *http.Request) error {
	by, err := h.admit(r.Context(), request{r.URL.Query(), r.Header, api.Address(r)})
	if by.project != nil {
		api.AboutProject(r, by.project.ID)
	}
	if err != nil {
		return err
	}
	// Letters and digits, which no address has to escape.
	return api.JSON(w, http.StatusOK, negotiated{1, rand.Text(), rand.Text(), []transport{{"WebSockets", []string{"Text"}}}})
}

// refuseNegotiation is the api.Refusal of negotiate. What the client shows of an error
// is the text of an answer that is no error of HTTP; only of a token that is none does
// it expect the status, and what we broke has its own for whoever watches.
func refuseNegotiation(w http.ResponseWriter, _ *http.Request, p api.Problem) {
	status := p.Status
	switch {
	case status == http.StatusUnauthorized, status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status >= 500:
	default:
		status = http.StatusOK
	}
	code, text := told(p.Code, p.Detail)
	_ = api.JSON(w, status, struct {
		Error string `json:"error"`
	}{explain(code, text)}) // it has no error to return
}

// withCredentials lets pages read answers to requests that they send with
// credentials, as the client does unless told otherwise. No cookie is ever looked at,
// so that nothing is given away by it.
func withCredentials(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
		next.ServeHTTP(w, r)
	})
}
