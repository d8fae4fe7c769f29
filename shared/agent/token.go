package agent

import "unicode/utf8"

// EstimateTokens is about how many tokens a model is sent for c: what a budget
// reserves, together with c.MaxTokens for the reply, before the call is settled
// by its Usage. It leans high: it has room for the longest grounding.
//
// The rule of thumb is four ASCII characters a token, as OpenAI documents for
// English, and one token for any other character, which is about right for
// Chinese and Japanese and generous for accents and Cyrillic.
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
