package operator

import (
	"net/http"

	"parley/shared/api"
)

// SocketPath is where the socket of consoles is at an address that all functions share.
const SocketPath = "/console/socket"

type newTicket struct {
	Ticket    string   `json:"ticket"`
	ExpiresAt api.Time `json:"expiresAt"`
	Socket    *string  `json:"socket"` // null where there is none
}

// ticket returns what opens the socket of a console, once.
func (f function) ticket(r *http.Request, s api.Staff) (any, error) {
	text, ends, err := f.API.Store.NewConsoleTicket(r.Context(), s.Caller, s.Key)
	socket := f.Socket
	if socket != "" && f.API.AtOneAddress(r) {
		socket = SocketPath
	}
	return api.Created{Value: newTicket{text, api.TimeOf(ends), api.OrNull(socket)}}, err
}
