package agent

import "unicode/utf8"

// EstimateTokens estimates how many tokens a model is sent for c. A budget
// reserves that many, and c.MaxTokens for the reply, before the model is called;
// the call's Usage settles it. The estimate is high on purpose: it includes the
// longest possible grounding.
func EstimateTokens(c Conversation) int {
	return NewPrompt(c, nil).tokens() + MaxGrounding/4
}

// tokensPerMessage is what a chat format adds to each message (OpenAI's is 3 to 4).
const tokensPerMessage = 4

func (p Prompt) tokens() int {
	n := textTokens(p.System) + tokensPerMessage
	for _, m := range p.Messages {
		n += textTokens(m.Text) + tokensPerMessage
	}
	for _, tool := range p.Tools {
		n += tool.tokens()
	}
	for _, round := range p.Rounds {
		n += textTokens(round.Text) + tokensPerMessage
		for _, c := range round.Calls {
			n += textTokens(c.Tool) + textTokens(string(c.Arguments)) + textTokens(c.Text) + 2*tokensPerMessage
		}
	}
	return n
}

func (t Tool) tokens() int {
	return textTokens(t.Name) + textTokens(t.Description) + textTokens(string(t.Parameters)) + 2*tokensPerMessage
}

func textTokens(text string) int {
	ascii, other := 0, 0
	for _, r := range text {
		if r < utf8.RuneSelf {
			ascii++
		} else {
			other++
		}
	}
	return (ascii+3)/4 + other
}
