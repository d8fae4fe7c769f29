package api

import "net/http"

// Typing is what a client says of whoever writes at it.
type Typing struct {
	Typing bool `json:"typing"`
}

// DecodeTyping reads a body that says whether somebody types.
func DecodeTyping(r *http.Request) (Typing, error) {
	var in struct {
		Typing *bool `json:"typing"`
	}
	if err := Decode(r, &in); err != nil {
		return Typing{}, err
	}
	if in.Typing == nil {
		return Typing{}, InvalidField("typing", "typing is true or false")
	}
	return Typing{*in.Typing}, nil
}
