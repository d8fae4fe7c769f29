package opencx

import (
	"encoding/json"
	"net/http"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
)

// botHeader carries what the protocol calls a bot token: the project's public key.
const botHeader = "X-Bot-Token"

// caller returns who makes the request, by the contact's token, and the project
// of the bot token.
func (f function) caller(r *http.Request) (parley.Caller, *parley.Project, error) {
	return f.API.ContactOf(r, r.Header.Get(botHeader))
}

// stranger returns who makes the request as far as the bot token tells.
func (f function) stranger(r *http.Request) (parley.Caller, *parley.Project, error) {
	p, err := f.API.ProjectOf(r, r.Header.Get(botHeader))
	if err != nil {
		return parley.Caller{}, nil, err
	}
	return parley.Caller{Project: p.ID, Capability: true, Channel: parley.ChannelOpenCX, Address: api.Address(r)}, p, nil
}

type issued struct {
	Token string `json:"token"`
}

func (f function) createUnverified(r *http.Request, c parley.Caller, p *parley.Project) (any, error) {
	var in struct { // what a browser says about its user; every field may be null
		Email string         `json:"email"`
		Name  string         `json:"non_verified_name"`
		Data  map[string]any `json:"non_verified_custom_data"`
	}
	if err := api.DecodeOptional(r, &in); err != nil {
		return nil, err
	}
	data, err := hints("non_verified_custom_data", in.Data)
	if err != nil {
		return nil, err
	}
	who, err := f.API.Store.Acquaint(r.Context(), parley.AcquaintRequest{Project: p.ID, Channel: parley.ChannelOpenCX, Address: c.Address,
		Identity: parley.Identity{Email: in.Email, Name: in.Name, Metadata: data}})
	if err != nil {
		return nil, err
	}
	text, err := f.API.Keys.Contact(p, who.Visitor, false)
	return issued{text}, err
}

// authenticated is what the customer's server says about a person. Clients use
// both spellings of the custom data.
type authenticated struct {
	Email       string         `json:"email"`
	Name        string         `json:"name"`
	Avatar      string         `json:"avatar_url"`
	Phone       string         `json:"phone"`
	Language    string         `json:"language"`
	CustomData  map[string]any `json:"customData"`
	CustomData2 map[string]any `json:"custom_data"`
	// Context is for the agent.
	Context   json.RawMessage `json:"chat_context"`
	Overrides *struct {
		Query   map[string]any             `json:"query_params"`
		Path    map[string]any             `json:"path_params"`
		Headers map[string]any             `json:"headers"`
		Body    map[string]json.RawMessage `json:"body_params"`
	} `json:"http_action_overrides"`
}

type vouched struct {
	Token   string    `json:"token"`
	Contact contactID `json:"contact"`
}

type contactID struct {
	ID parley.ContactID `json:"id"`
}

// authenticate returns a token for one of the customer's people. The customer's
// server calls it with a private key.
func (f function) authenticate(r *http.Request) (any, error) {
	key, err := f.API.PrivateKey(r)
	if err != nil {
		return nil, err
	}
	if !key.May(parley.ScopeReply) {
		return nil, api.Denied("scope_missing", "this call needs a private key with the scope reply")
	}
	var in authenticated
	if err := api.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Email == "" {
		return nil, api.InvalidField("email", "email is required")
	}
	data := in.CustomData
	if data == nil {
		data = in.CustomData2
	}
	metadata, err := pairs("customData", data)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{"phone": in.Phone, "language": in.Language} {
		if value != "" {
			if metadata == nil {
				metadata = map[string]string{}
			}
			metadata[name] = value
		}
	}
	identity := parley.Identity{Email: in.Email, Name: in.Name, Picture: in.Avatar, Metadata: metadata}
	if text := strings.TrimSpace(string(in.Context)); text != "null" && text != "" {
		identity.Context = in.Context
	}
	if o := in.Overrides; o != nil {
		brought, err := overrides(o.Headers, o.Query, o.Path, o.Body)
		if err != nil {
			return nil, err
		}
		identity.Overrides = &brought
	}
	who, err := f.API.Store.Acquaint(r.Context(), parley.AcquaintRequest{Project: key.Project, Channel: parley.ChannelOpenCX, Proven: true, Identity: identity})
	if err != nil {
		return nil, err
	}
	p, err := f.API.Store.Project(r.Context(), key.Project)
	if err != nil {
		return nil, err
	}
	text, err := f.API.Keys.Contact(p, who.Visitor, true)
	return vouched{text, contactID{who.Contact.ID}}, err
}
