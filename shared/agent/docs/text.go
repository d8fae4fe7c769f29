package docs

import "maps"

// The keys of the agent's own sentences; all other text is quoted from articles.
// A project may replace each of them, in any language.
const (
	TextGreeting = "docs.greeting"
	// TextFrom names the source of a quotation; {article} stands for its link.
	TextFrom = "docs.from"
	// TextSeeAlso leads to further sections; {articles} stands for their links.
	TextSeeAlso = "docs.see_also"
	TextNothing = "docs.nothing" // no article answers the question
	TextHuman   = "docs.human"   // the visitor wants a human
	TextThanks  = "docs.thanks"
	TextGoodbye = "docs.goodbye"
	TextWho     = "docs.who" // the visitor asks who answers
)

var english = map[string]string{
	TextGreeting: "Hello! What would you like to know?",
	TextFrom:     "From {article}",
	TextSeeAlso:  "See also: {articles}",
	TextNothing: "I found nothing about that in our help articles. " +
		"You could ask in other words, or I hand you over to a person: just say so.",
	TextHuman:   "I am handing you over to a person, who will answer here.",
	TextThanks:  "You are welcome! Is there anything else?",
	TextGoodbye: "Goodbye, and come back any time.",
	TextWho: "I am an automated assistant and answer from our help articles. " +
		"If you would rather talk to a person, just say so.",
}

// Texts returns the English texts by key: the defaults.
func Texts() map[string]string { return maps.Clone(english) }

// WithTexts returns an agent with other texts that shares everything else with
// a. It costs nothing, so that each reply can have one with the texts of its
// project.
func (a *Agent) WithTexts(texts func(key, language string) string) *Agent {
	other := *a
	other.texts = texts
	return &other
}

func (a *Agent) text(key, language string) string {
	if a.texts != nil {
		if text := a.texts(key, language); text != "" {
			return text
		}
	}
	return english[key]
}
