package identify

import (
	"net/http"

	"parley/shared/api"
	"parley/shared/parley"
)

// config is what a widget needs to draw itself.
type config struct {
	Project       project           `json:"project"`
	Agent         *agent            `json:"agent"`
	Greeting      string            `json:"greeting"`
	Language      string            `json:"language"`
	Texts         map[string]string `json:"texts"`
	TokenRequired bool              `json:"tokenRequired"`
	// Challenge is where new visitors get the challenge that they have to solve, or null.
	Challenge *string  `json:"challenge"`
	Limits    limits   `json:"limits"`
	Uploads   uploads  `json:"uploads"`
	CSAT      csat     `json:"csat"`
	URLs      api.URLs `json:"urls"`
}

type project struct {
	ID   parley.ProjectID `json:"id"`
	Name string           `json:"name"`
}

type agent struct {
	ID      parley.AgentID `json:"id"`
	Name    string         `json:"name"`
	Picture string         `json:"picture,omitempty"`
}

// limits are of what a page sends.
type limits struct {
	MessageBytes  int `json:"messageBytes"`
	Attachments   int `json:"attachments"`
	FeedbackBytes int `json:"feedbackBytes"`
	MetadataPairs int `json:"metadataPairs"`
	Queue         int `json:"queue"`
}

type uploads struct {
	Enabled  bool     `json:"enabled"`
	MaxBytes int64    `json:"maxBytes"`
	Types    []string `json:"types"`
}

type csat struct {
	Enabled bool `json:"enabled"`
	Min     int  `json:"min"`
	Max     int  `json:"max"`
}

func (f function) config(r *http.Request) (any, error) {
	p, err := f.Project(r)
	if err != nil {
		return nil, err
	}
	out := config{
		Project:       project{p.ID, p.Name},
		Greeting:      p.Greeting,
		Language:      p.Language,
		Texts:         p.Texts,
		TokenRequired: p.TokenRequired,
		Limits: limits{parley.MaxMessageBytes, parley.MaxAttachments, parley.MaxFeedbackBytes,
			parley.MaxMetadata, parley.MaxQueue},
		Uploads: uploads{!p.Uploads.Disabled, p.Uploads.Max(), p.Uploads.Allowed()},
		CSAT:    csat{p.CSAT != parley.CSATOff, parley.MinScore, parley.MaxScore},
		URLs:    f.Bases(r),
	}
	if a, err := p.Agent(""); err == nil {
		out.Agent = &agent{a.ID, a.Name, a.Picture}
	}
	if p.Challenge.Numbers > 0 {
		at := out.URLs.Identify + "/identify/challenge"
		out.Challenge = &at
	}
	if out.Language == "" {
		out.Language = "en"
	}
	if out.Texts == nil {
		out.Texts = map[string]string{}
	}
	return out, nil
}
