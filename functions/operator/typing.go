package operator

import (
	"net/http"

	"parley/shared/api"
)

// typing tells the visitor that the operator types.
func (f function) typing(r *http.Request, s api.Staff) (any, error) {
	in, err := api.DecodeTyping(r)
	if err != nil {
		return nil, err
	}
	session, news, err := f.API.Store.SetTyping(r.Context(), s.Caller, sessionOf(r), s.Author(), in.Typing)
	if err == nil && news && f.Typing != nil {
		f.Typing(r.Context(), session, s.Author(), in.Typing)
	}
	return in, err
}
