//go:build race

package faults_test

// underRace says that all takes several times as long, so samples are a quarter.
const underRace = true
