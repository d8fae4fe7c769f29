package wire

import (
	"context"
	"encoding/json"
	"fmt"

	"parley/shared/awscall"
)

// FetchSecret returns the text of a secret of Secrets Manager.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (b *Base) FetchSecret(ctx context.Context, arn string) (string, error) {
	return b.fetchVersion(ctx, arn, "")
}

// fetchVersion is FetchSecret of a version by its id; "" is the current one.
func (b *Base) fetchVersion(ctx context.Context, arn, version string) (string, error) {
	in := struct {
		ID      string `json:"SecretId"`
		Version string `json:"VersionId,omitempty"`
	}{arn, version}
	var out struct{ SecretString string }
	if err := b.callJSON(ctx, "Secrets Manager", "secretsmanager.GetSecretValue", in, &out); err != nil {
		return "", fmt.Errorf("fetch secret: %w", err)
	}
	return out.SecretString, nil
}

// FetchParameter returns the text of a parameter of Systems Manager, decrypted.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
func (b *Base) FetchParameter(ctx context.Context, arn string) (string, error) {
	in := struct {
		Name           string
		WithDecryption bool
	}{arn, true}
	var out struct{ Parameter struct{ Value string } }
	if err := b.callJSON(ctx, "SSM", "AmazonSSM.GetParameter", in, &out); err != nil {
		return "", fmt.Errorf("fetch parameter: %w", err)
	}
	return out.Parameter.Value, nil
}

// callJSON calls an operation of a service with AWS's JSON protocol 1.1. Its
// error contains nothing of an unreadable answer, which may hold a secret.
func (b *Base) callJSON(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := b.Call.Do(ctx, awscall.Request{
		Service: service,
		Path:    "/",
		Header:  map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target},
		Body:    body,
	})
	if err != nil {
		return err
	}
	if json.Unmarshal(answer, out) != nil {
		return fmt.Errorf("%s answers something else than %s", service, target)
	}
	return nil
}
