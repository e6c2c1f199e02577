//! What can be asked about publishers.

use cleave_kernel::PublisherId;
use operations_domain::{NewPublisher, Publisher, PublisherChange};
use operations_store::outbox;

use super::mutate::insert;
use super::{App, Error, Request};

impl App {
    /// Records the application of a publisher and has Billing asked for its account.
    ///
    /// # Errors
    /// When its id, seller entry or external reference is taken.
    pub async fn create_publisher(
        &self,
        request: Request,
        new: NewPublisher,
    ) -> Result<Publisher, Error> {
        let new = &new;
        let publisher = self
            .mutate(&request, |unit| async move {
                let publisher = Publisher::create(new.clone(), unit.now());
                insert(&unit, &publisher).await?;
                outbox::push(&unit, &publisher.open_account()).await?;
                Ok(publisher)
            })
            .await?;
        self.outbox_bell.notify_one();
        Ok(publisher)
    }

    /// Changes what people write of a publisher.
    ///
    /// # Errors
    /// When it has changed since, is terminated, or a new key of it is taken.
    pub async fn update_publisher(
        &self,
        request: Request,
        id: PublisherId,
        version: i64,
        change: PublisherChange,
    ) -> Result<Publisher, Error> {
        self.change(&request, id, version, |publisher: &mut Publisher, now| {
            publisher.change(change.clone(), now)
        })
        .await
    }

    /// Lets a publisher serve.
    ///
    /// # Errors
    /// When it has changed since, has not just applied, or has no account yet.
    pub async fn activate_publisher(
        &self,
        request: Request,
        id: PublisherId,
        version: i64,
    ) -> Result<Publisher, Error> {
        self.change(&request, id, version, Publisher::activate)
            .await
    }

    /// Stops a publisher.
    ///
    /// # Errors
    /// When it has changed since, or is not active.
    pub async fn suspend_publisher(
        &self,
        request: Request,
        id: PublisherId,
        version: i64,
    ) -> Result<Publisher, Error> {
        self.change(&request, id, version, Publisher::suspend).await
    }

    /// Lets a publisher serve again.
    ///
    /// # Errors
    /// When it has changed since, or is not suspended.
    pub async fn resume_publisher(
        &self,
        request: Request,
        id: PublisherId,
        version: i64,
    ) -> Result<Publisher, Error> {
        self.change(&request, id, version, Publisher::resume).await
    }

    /// Puts a publisher away.
    ///
    /// # Errors
    /// When it has changed since, or is put away already.
    pub async fn terminate_publisher(
        &self,
        request: Request,
        id: PublisherId,
        version: i64,
    ) -> Result<Publisher, Error> {
        self.change(&request, id, version, Publisher::terminate)
            .await
    }
}
