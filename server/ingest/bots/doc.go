// Package bots tells crawlers from people by their user agent.
//
// The list is crawler-user-agents.json of the npm package crawler-user-agents,
// version 1.60.0, unchanged, under the MIT licence in LICENSE. update.sh renews it.
package bots

//go:generate sh update.sh
