module gridbell.sdk

go 1.24
