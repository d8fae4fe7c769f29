package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"parley/shared/lambdahttp"
)

// origin is what a function has to know of the distribution in front of it.
type origin struct {
	// SecretARN names the secret of Secrets Manager that has an originSecret as JSON.
	SecretARN string `json:"secretArn"`
	// Version is the secret's version that the distribution sends, "" for the current one.
	// It changes when the secret is replaced, so that functions start anew.
	Version string `json:"version"`
	// Only has the function refuse what does not come through the distribution.
	Only bool `json:"only"`
}

// originSecret is what the distribution proves itself with.
type originSecret struct {
	Origin string `json:"origin"`
	// Previous is the one before it, which is accepted while it is set.
	Previous string `json:"previous"`
}

// readFront returns the distribution in front of the function. Its error contains
// nothing of the secret.
func (b *Base) readFront(ctx context.Context) (lambdahttp.Front, error) {
	text := os.Getenv(distributionVariable)
	if text == "" {
		return lambdahttp.Front{}, nil
	}
	var o origin
	if err := json.Unmarshal([]byte(text), &o); err != nil || o.SecretARN == "" {
		return lambdahttp.Front{}, fmt.Errorf("%s is no JSON object that names a secret", distributionVariable)
	}
	text, err := b.fetchVersion(ctx, o.SecretARN, o.Version)
	if err != nil {
		return lambdahttp.Front{}, err
	}
	var s originSecret
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Origin == "" {
		return lambdahttp.Front{}, errors.New(`the origin secret is not a JSON object with "origin"`)
	}
	return lambdahttp.Front{Secrets: []string{s.Origin, s.Previous}, Only: o.Only}, nil
}
