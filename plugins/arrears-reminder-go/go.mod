module arrears-reminder-go

go 1.24

require gridbell.sdk v0.0.0

replace gridbell.sdk => ../sdk/go
