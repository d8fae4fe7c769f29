// Package ses sends mail by Amazon Simple Email Service.
package ses

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"parley/shared/awscall"
	"parley/shared/mail"
)

// Client sends. It is safe for concurrent use.
type Client struct {
	call *awscall.Client
}

// New returns a client.
func New(call *awscall.Client) *Client { return &Client{call} }

// sendTime bounds one message, with awscall's own tries. Our choice.
const sendTime = 20 * time.Second

// request is the operation's body: the message travels as it is, so that what
// SES is told of it and what a reader sees are the same. []byte is base64 in JSON.
type request struct {
	FromEmailAddress string
	Destination      struct{ ToAddresses []string }
	Content          struct {
		Raw struct{ Data []byte }
	}
}

// Send is a mail.Sender.
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
func (c *Client) Send(ctx context.Context, m mail.Message) error {
	r := request{FromEmailAddress: m.From.Email}
	for _, to := range m.To {
		r.Destination.ToAddresses = append(r.Destination.ToAddresses, to.Email)
	}
	var err error
	if r.Content.Raw.Data, err = m.Encode(time.Now()); err != nil {
		return err
	}
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	_, err = c.call.Do(ctx, awscall.Request{
		Service: "SESv2",
		Host:    "email",
		Signing: "ses",
		Path:    "/v2/email/outbound-emails",
		Header:  map[string]string{"Content-Type": "application/json"},
		Body:    body,
	})
	return refusal(err)
}

// refusal says of an error what it means for the message. AWS's explanation
// names addresses, and is left out.
func refusal(err error) error {
	var said *awscall.Error
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &said):
		return fmt.Errorf("send by SES: %w", err)
	case said.Code == "BadRequestException":
		return fmt.Errorf("%w: SES answers %s", mail.ErrRefused, said.Code)
	}
	// What a deployment's owner can change is worth another attempt: a right that
	// is missing, a quota, a paused account, an address that is not verified yet
	// (which SES calls MessageRejected).
	return fmt.Errorf("SES answers %d %s", said.Status, said.Code)
}
