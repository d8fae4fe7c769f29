// Package hosts builds the client for hosts that a customer named.
package hosts

import (
	"os"

	"parley/functions/internal/wire"
	"parley/shared/outbound"
)

// privateVariable, set to "allow", permits hosts on this machine and in private
// networks, for tests. The template never sets it.
const privateVariable = "PARLEY_PRIVATE_HOSTS"

// Client returns a client with Config.
func Client() *outbound.Client { return wire.Must(outbound.New(Config())) }

// Config says which hosts may be called. The address of the Lambda runtime's own
// interface is forbidden in any case.
func Config() outbound.Config {
	return outbound.Config{Private: os.Getenv(privateVariable) == "allow", Runtime: os.Getenv("AWS_LAMBDA_RUNTIME_API")}
}
