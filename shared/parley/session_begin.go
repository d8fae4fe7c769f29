package parley

import (
	"cmp"
	"context"
	"errors"
)

// BeginRequest asks for a session that nobody has said anything in yet.
type BeginRequest struct {
	// ID is the session's, chosen by whoever asks; "" makes one. The same id
	// again returns the same session. Ids that a client may guess are no good
	// where they are the credential.
	ID       SessionID
	Channel  Channel
	Agent    AgentID // "" is the default agent
	Language string  // BCP 47
	// Metadata and Page are what the browser says of the session.
	Metadata map[string]string
	Page     Page
}

// Begin makes an empty session of the caller's. It counts against the caller's
// rate like a message, of which twice as many may come at once, of a caller who holds
// nothing but the id against its address like a visitor, and asks nobody for a reply.
// Errors: invalid_field, rate_limited, identify_limit, challenge_required,
// session_id_conflict for an id that is taken by somebody else, identity_required.
func (s *Store) Begin(ctx context.Context, c Caller, r BeginRequest) (*Session, error) {
	if r.ID == "" {
		r.ID = SessionID("s" + s.newID())
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	p, err := s.Project(ctx, c.Project)
	if err != nil {
		return nil, err
	}
	if p.TokenRequired && !c.proven() {
		return nil, errIdentity()
	}
	if c.Only != "" {
		return nil, errLimited()
	}
	session, err := s.fresh(p, c, r.ID, r.Channel, r.Agent, r.Language)
	if err != nil {
		return nil, err
	}
	if c.Capability {
		if _, err := s.letIn(p, r.Channel, c, nil); err != nil {
			return nil, err
		}
		if err := s.takeIdentify(ctx, p, c); err != nil {
			return nil, err
		}
	}
	spent := &spending{store: s, project: p, caller: c}
	if err := spent.foresee(ctx); err != nil {
		return nil, err
	}
	begun, err := s.change(ctx, p, session, func(ch *change) error {
		if ch.was != nil {
			return errStood
		}
		about := About{Page: r.Page, Metadata: r.Metadata}
		if !about.empty() {
			if err := ch.put(about.item(p.ID, r.ID)); err != nil {
				return err
			}
		}
		return spent.admit(ch, beginBurst, 0)
	})
	spent.count(ctx, err)
	if errors.Is(err, errStood) {
		if begun, err = s.open(ctx, c, r.ID, true); errors.Is(err, ErrNotFound) {
			return nil, errSessionTaken()
		}
	}
	return begun, err
}

// errStood says that a session to be begun stands already.
var errStood = errors.New("the session stands")

func errSessionTaken() error { return conflict("session_id_conflict", "this session id is taken") }

func (r *BeginRequest) check() error {
	return cmp.Or(CheckID("session", string(r.ID)), checkLength("language", r.Language, MaxLanguageBytes),
		checkAbout(r.Page, r.Metadata))
}

// fresh is a session of the caller's that is about to begin.
func (s *Store) fresh(p *Project, c Caller, id SessionID, channel Channel, agent AgentID, language string) (*Session, error) {
	answers, err := p.Agent(agent)
	if err != nil {
		return nil, invalid("agent", "no such agent")
	}
	now := s.clock().UnixMilli()
	return &Session{ID: id, Project: p.ID,
		Owner:   Owner{Visitor: c.Visitor, Contact: c.Contact, Proven: c.proven(), External: c.External},
		Channel: channel, Agent: answers.ID, Language: language,
		State: StateOpen, Holder: HolderAI, Created: now, At: now - 1}, nil
}
