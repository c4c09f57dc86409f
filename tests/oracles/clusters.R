# Cluster-robust covariances of two-way fixed effects by clubSandwich: plm's within model with year dummies, and
# with weights lm with every dummy (whose CR3 is singular there and left out).
# Called by clusters.py: Rscript clusters.R FOLDER, where FOLDER holds <panel>.csv and gets answers.csv.
suppressMessages({library(clubSandwich); library(plm)})
folder <- commandArgs(trailingOnly = TRUE)[1]
rows <- list()
for (panel in c("balanced", "missing")) {
  data <- read.csv(file.path(folder, paste0(panel, ".csv")))
  for (estimator in c("twfe", "event_study")) for (weights in c("", "w")) {
    names <- if (estimator == "twfe") "d" else grep("^event_", colnames(data), value = TRUE)
    right <- paste(c(names, "factor(time)"), collapse = " + ")
    if (weights == "") {
      fit <- plm(as.formula(paste("y ~", right)), data = data, index = c("unit", "time"), model = "within")
      types <- c("CR0", "CR1", "CR2", "CR3")
    } else {
      fit <- lm(as.formula(paste("y ~", right, "+ factor(unit)")), data = data, weights = data$w)
      types <- c("CR0", "CR1", "CR2")
    }
    for (cluster in c("unit", "region")) for (type in types) {
      V <- vcovCR(fit, cluster = data[[cluster]], type = type)
      tested <- coef_test(fit, vcov = V, test = "Satterthwaite", coefs = names)
      for (i in seq_along(names)) {
        name <- names[i]
        rows[[length(rows) + 1]] <- data.frame(panel = panel, estimator = estimator, weights = weights,
          cluster = cluster, type = type, name = name, estimate = coef(fit)[[name]],
          se = sqrt(V[name, name]), df = tested$df_Satt[i])
      }
    }
  }
}
out <- do.call(rbind, rows)
for (name in c("estimate", "se", "df")) out[[name]] <- sprintf("%.17g", out[[name]])
out$version <- as.character(packageVersion("clubSandwich"))
write.csv(out, file.path(folder, "answers.csv"), row.names = FALSE)
