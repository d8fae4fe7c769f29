// Package hosts makes the client with which functions ask hosts that a customer
// named.
package hosts

import (
	"os"

	"parley/shared/outbound"
)

// privateVariable, set to "allow", lets them be on this machine and in private
// networks: for tests. The template never sets it.
const privateVariable = "PARLEY_PRIVATE_HOSTS"

// Client returns it.
func Client() (*outbound.Client, error) { return outbound.New(Config()) }

// Config says which hosts may be asked. The address of the Lambda runtime's own
// interface is refused whatever the environment says.
func Config() outbound.Config {
	return outbound.Config{Private: os.Getenv(privateVariable) == "allow", Runtime: os.Getenv("AWS_LAMBDA_RUNTIME_API")}
}
