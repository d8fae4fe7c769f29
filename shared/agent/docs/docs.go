// Package docs answers from help articles, without a model, a key or a network:
// it finds the section of a folder of Markdown articles that fits a question,
// quotes it and links it, and says so when none fits. Its retrieval also grounds
// the agents that ask a model.
package docs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"

	"parley/shared/agent"
)

// DefaultPace streams about fifteen words a second: visibly a stream, yet faster
// than most people read.
const DefaultPace = 45 * time.Millisecond

// Config says what the agent answers from, and how.
type Config struct {
	// Articles holds the articles: all its files named *.md, in folders too. Required.
	Articles fs.FS
	// BaseURL is where people can read the articles, an absolute address: a section's
	// link is BaseURL, the article's path and the anchor of its heading. Without it
	// articles are named and not linked, since what is relative leads nowhere on the
	// customer's page, in a mail or in another widget.
	BaseURL string
	// Texts returns the text for one of this package's keys in a language (a BCP
	// 47 tag or ""). Where it returns "", and with a nil Texts, the English text
	// of this package is used.
	Texts func(key, language string) string
	// Pace is the time between two pieces of a few words; 0 sends the whole
	// reply without delay.
	Pace time.Duration
}

// Agent answers from articles. It is safe for concurrent use.
type Agent struct {
	index *index
	base  *url.URL // nil for no links
	texts func(key, language string) string
	pace  time.Duration
}

var (
	_ agent.Agent    = (*Agent)(nil)
	_ agent.Reviewer = (*Agent)(nil)
)

// Review implements agent.Reviewer with quotations: there is no model that could
// judge.
func (a *Agent) Review(_ context.Context, t agent.Transcript) (agent.Review, error) {
	return agent.Extract(t), nil
}

// New reads and indexes the articles. It is an error if there are none.
func New(config Config) (*Agent, error) {
	if config.Articles == nil {
		return nil, errors.New("docs: no articles")
	}
	base, err := parseBase(config.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("docs: base URL: %w", err)
	}
	sections, err := readArticles(config.Articles)
	if err != nil {
		return nil, fmt.Errorf("docs: read articles: %w", err)
	}
	if len(sections) == 0 {
		return nil, errors.New("docs: no articles")
	}
	a := &Agent{base: base, texts: config.Texts, pace: config.Pace}
	for i := range sections {
		sections[i].text = readable(sections[i].article, sections[i].text)
	}
	a.index = newIndex(sections)
	return a, nil
}

// parseBase returns the folder that an absolute address names; nil for "".
func parseBase(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	base, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is not an address such as https://example.com/help/", text)
	}
	if !strings.HasSuffix(base.Path, "/") {
		base.Path += "/"
	}
	return base, nil
}

// At returns an agent whose links lead to articles at an address like
// Config.BaseURL, and that shares everything else with this one. "" and what is no
// such address leave the links as they are.
func (a *Agent) At(base string) *Agent {
	parsed, err := parseBase(base)
	if err != nil || parsed == nil {
		return a
	}
	other := *a
	other.base = parsed
	return &other
}

// Thresholds for using a section as an answer, and for showing it to a model.
// Tuned together with the ranking; strict, because a wrong answer annoys more
// than none.
const (
	answerCoverage = 0.4
	answerEvidence = 0.2
	// A question of h.words words needs a score of answerScore +
	// fewWordsScore/h.words: the fewer words were found, the more each must stand
	// out.
	answerScore   = 0.2
	fewWordsScore = 0.35
	// A model can tell whether a passage helps, so it is shown less certain ones
	// too.
	passageCoverage = 0.3
)

func (h hit) answers() bool {
	return h.words >= 1 && h.coverage >= answerCoverage && h.evidence >= answerEvidence &&
		h.score >= answerScore+fewWordsScore/h.words
}

// Search returns at most n passages that fit a query, best first; none if no
// section covers enough of it.
func (a *Agent) Search(query string, n int) []agent.Passage {
	var passages []agent.Passage
	for _, h := range a.index.find(query) {
		if len(passages) == n {
			break
		}
		if h.coverage >= passageCoverage {
			passages = append(passages, a.passage(h))
		}
	}
	return passages
}

func (a *Agent) passage(h hit) agent.Passage {
	s := &a.index.sections[h.section]
	return agent.Passage{Source: a.source(s), Article: s.article, Section: s.anchor, Text: a.linked(s.text), Score: min(1, h.score)}
}

func (a *Agent) source(s *section) agent.Source {
	return agent.Source{Title: s.name(), URL: a.locate(&url.URL{Path: s.article, Fragment: s.anchor})}
}

// locate turns a link relative to the articles' root into one that works from
// anywhere; "" where people cannot read the articles.
func (a *Agent) locate(link *url.URL) string {
	if a.base == nil {
		return ""
	}
	return a.base.ResolveReference(link).String()
}

// spanOrLink matches links and images, and also code spans, so that nothing
// inside them is taken for a link.
var spanOrLink = lazy("`[^`\n]*`|(!?)\\[([^\\]\n]*)\\]\\(([^)\\s]+)([^)\n]*)\\)")

// link is a link or an image in an article; rest is what stands behind the address.
type link struct {
	image            bool
	text, href, rest string
}

// eachLink replaces the links and images outside of code.
func eachLink(text string, replace func(link) string) string {
	return spanOrLink().ReplaceAllStringFunc(text, func(found string) string {
		m := spanOrLink().FindStringSubmatch(found)
		if m[3] == "" {
			return found
		}
		return replace(link{m[1] == "!", m[2], m[3], m[4]})
	})
}

// readable prepares an article's text for a chat: relative links are meant from the
// articles' root then, images are dropped because a chat has no place for them, and
// the lines of paragraphs are joined.
func readable(article, text string) string {
	all := blocks(text)
	for i, b := range all {
		all[i].text = b.unwrap()
		if b.kind == code || !strings.Contains(b.text, "](") {
			continue
		}
		all[i].text = eachLink(all[i].text, func(l link) string {
			if l.image {
				return l.text
			}
			return "[" + l.text + "](" + fromRoot(article, l.href) + l.rest + ")"
		})
	}
	return join(all)
}

// fromRoot returns the address that a link in an article names, relative to the
// articles' root where it is relative.
func fromRoot(article, href string) string {
	to, err := url.Parse(href)
	if err != nil || to.IsAbs() || strings.HasPrefix(href, "/") {
		return href
	}
	to.Path = path.Join(path.Dir(article), cmp.Or(to.Path, path.Base(article)))
	return to.String()
}

// linked returns a readable text whose links work from anywhere: those that lead
// nowhere are text.
func (a *Agent) linked(text string) string {
	if !strings.Contains(text, "](") {
		return text
	}
	all := blocks(text)
	for i, b := range all {
		if b.kind == code {
			continue
		}
		all[i].text = eachLink(b.text, func(l link) string {
			to, err := url.Parse(l.href)
			switch {
			case err == nil && to.IsAbs():
				return "[" + l.text + "](" + l.href + l.rest + ")"
			case err != nil || a.base == nil:
				return l.text
			}
			return "[" + l.text + "](" + a.locate(to) + l.rest + ")"
		})
	}
	return join(all)
}
