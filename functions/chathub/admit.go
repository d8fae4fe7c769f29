package chathub

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"parley/shared/api"
	"parley/shared/parley"
	"parley/shared/token"
)

// request is what the two requests have in common that a client makes to connect.
type request struct {
	query   url.Values
	header  http.Header
	address string
}

// token returns the request's token, "" if there is none. A header counts for more
// than the address; there the last counts, which is what a page's function has
// returned, and the ones before it what stands in the page's address.
func (r request) token() string {
	if text := api.Bearer(r.header); text != "" {
		return text
	}
	if all := r.query["access_token"]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// admitted is who may connect, and to whom.
type admitted struct {
	project *parley.Project
	agent   parley.AgentID
	caller  parley.Caller
	pass    token.Pass
}

// admit returns who makes a request. The project stands in the agent's id, since it
// says whose keys the token is to be checked with. Who has no token of the project
// learns nothing of it, not even that it is there.
func (h *Hub) admit(ctx context.Context, r request) (admitted, error) {
	name, agent, both := strings.Cut(r.query.Get("agentId"), ".")
	if !both || parley.CheckID("agentId", name) != nil || parley.CheckID("agentId", agent) != nil {
		return admitted{}, &parley.Error{Kind: parley.ErrInvalid, Code: codeInvalid, Text: "agentId is the id of a project and that of its agent, joined by a dot"}
	}
	by := admitted{agent: parley.AgentID(agent)}
	var err error
	by.project, err = h.API.Store.Project(ctx, parley.ProjectID(name))
	if errors.Is(err, parley.ErrNotFound) {
		by.project = nil
		_, err = h.API.Pass(&parley.Project{ID: parley.ProjectID(name)}, r.token()) // as of a project that has no key
	}
	if err != nil {
		return by, err
	}
	if err := h.API.Store.TakeCall(by.project, parley.Caller{Project: by.project.ID, Address: r.address}); err != nil {
		return by, err
	}
	if by.pass, err = h.API.Pass(by.project, r.token()); err != nil {
		return by, err
	}
	if err := api.CheckOrigin(r.header, by.project, by.project.PublicKeys...); err != nil {
		return by, err
	}
	if _, err := by.project.Agent(by.agent); err != nil || !by.pass.Covers(by.agent) {
		return by, &parley.Error{Kind: parley.ErrDenied, Code: "unknown_agent", Text: "the project has no such agent for this token"}
	}
	who, err := h.API.Store.Acquaint(ctx, parley.AcquaintRequest{Project: by.project.ID, Channel: parley.ChannelChatHub,
		Identity: by.pass.Keepable(), Proven: true, Address: r.address})
	if err != nil {
		return by, err
	}
	by.caller = parley.Caller{Project: by.project.ID, Visitor: who.Visitor.ID, Contact: who.Contact.ID,
		Generation: who.Visitor.Generation, Address: r.address}
	return by, nil
}
